// Hair as the skin shows it: the scalp under hair, stubble, brows. All of it in the template's coordinates, so
// that it moves with the skin.
uniform vec3 scalp_colour;
uniform float scalp_cover; // 0 bald, 0.5 shaved, 1 under hair
uniform float scalp_thinning;
uniform float hairline[13]; // heights every 15 degrees from the forehead to the nape
uniform vec3 brow_colour;
uniform vec4 brow_shape; // thickness in dm, density 0..1, arch in dm, tilt in dm
uniform float brow_gap; // half of the gap between them, dm
uniform vec3 beard_colour;
uniform vec3 beard_cover; // of moustache, chin, cheeks, 0..1
uniform float beard_height; // dm above the usual line on the cheeks

float covered = 0.0; // by hair, so that it does not shine

float within_hairline(vec3 at) {
    if (abs(at.x) > 0.745 && at.y < 7.5) return -1.0;
    float step = degrees(abs(atan(at.x, at.z - 0.5))) / 15.0;
    int k = int(min(step, 11.0));
    return at.y - mix(hairline[k], hairline[k + 1], clamp(step - float(k), 0.0, 1.0));
}

float scalp_hair(vec3 at) {
    float inside = within_hairline(at) + 0.06 * (noise(at * 90.0) - 0.5) + 0.05 * (noise(at * 17.0) - 0.5);
    float crown = clamp(1.3 - length(vec2(at.x / 0.75, (at.z - 0.35) / 0.9)), 0.0, 1.0) * clamp((at.y - 7.75) / 0.25, 0.0, 1.0);
    float grown = smoothstep(-0.03, 0.1, inside) * (1.0 - min(1.4 * scalp_thinning * crown, 0.97));
    float dots = smoothstep(0.35, 0.75, noise(at * 150.0));
    return grown * mix(scalp_cover * (0.55 + 0.9 * dots), scalp_cover, smoothstep(0.6, 0.9, scalp_cover));
}

float brow_hair(vec3 at) {
    float x = abs(at.x);
    float across = (x - brow_gap) / (0.56 - brow_gap); // 0 at the nose .. 1 at the temple
    float line = 7.455 + brow_shape.z * sin(clamp(across, 0.0, 1.0) * 2.6) + brow_shape.w * (across - 0.4);
    float thick = brow_shape.x * smoothstep(-0.12, 0.12, across) * mix(1.0, 0.35, smoothstep(0.45, 1.0, across));
    float v = (at.y - line) / max(thick, 0.001);
    float body = smoothstep(1.2, 0.25, abs(v) + 0.35 * (noise(vec3(x * 14.0, at.y * 60.0, at.x > 0.0 ? 3.0 : 11.0)) - 0.5));
    float ends = smoothstep(-0.08, 0.1, across) * smoothstep(1.06, 0.86, across);
    float front = smoothstep(0.9, 1.1, at.z);
    return clamp(body * ends * front * brow_shape.y, 0.0, 1.0);
}

float soft(float value, float wide) { return clamp(value / wide + 0.5, 0.0, 1.0); }

// A beard's part of the skin; its lines are those of hair/fur.py.
float beard_hair(vec3 at, float lip) {
    float x = abs(at.x), wild = 0.06 * (noise(at * 25.0) - 0.5);
    float low = x < 0.15 ? 6.71 : mix(6.70, 6.52, clamp((x - 0.15) / 0.19, 0.0, 1.0));
    float high = x < 0.15 ? 6.80 : mix(6.81, 6.60, clamp((x - 0.15) / 0.19, 0.0, 1.0));
    float below = soft(at.y + wild - 6.02, 0.2) * soft(at.z - 0.62, 0.15);
    float line = x < 0.45 ? mix(6.5, 6.74, x / 0.45) : mix(6.74, 7.12, clamp((x - 0.45) / 0.24, 0.0, 1.0));
    float moustache = soft(at.y - low, 0.04) * soft(high - at.y, 0.05) * soft(0.32 - x, 0.08);
    float chin = soft(6.5 - at.y, 0.06) * soft(0.24 - x, 0.1) * below;
    float cheeks = soft(line + beard_height + wild - at.y, 0.16) * below * soft(0.73 - x, 0.04) * soft(x - 0.2, 0.1);
    vec3 grown = vec3(moustache, chin, cheeks) * beard_cover;
    return max(grown.x, max(grown.y, grown.z)) * step(0.5, at.z) * (1.0 - smoothstep(0.08, 0.25, lip));
}

// The skin's colour `base` with what grows at a place of the template; lip: how much that belongs to the lips.
vec3 groomed(vec3 base, vec3 at, float lip) {
    covered = clamp(scalp_hair(at), 0.0, 0.95);
    base = mix(base, base * 0.04 + scalp_colour * 0.45, covered);
    float stubble = beard_hair(at, lip);
    if (stubble > 0.0) {
        float dots = smoothstep(0.3, 0.8, noise(at * 130.0)) + 0.5 * smoothstep(0.4, 0.8, noise(at * 61.0 + 5.0));
        base = mix(base, base * 0.35 + 0.4 * beard_colour, clamp(stubble * (0.4 + 0.5 * dots), 0.0, 0.9));
    }
    return mix(base, mix(base, brow_colour, 0.85), 0.8 * brow_hair(at));
}
