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
uniform float beard_cover;

float within_hairline(vec3 at) {
    if (abs(at.x) > 0.745 && at.y < 7.5) return -1.0;
    float step = degrees(abs(atan(at.x, at.z - 0.5))) / 15.0;
    int k = int(min(step, 11.0));
    return at.y - mix(hairline[k], hairline[k + 1], clamp(step - float(k), 0.0, 1.0));
}

float scalp_hair(vec3 at) {
    float inside = within_hairline(at) + 0.10 * (noise(at * 60.0) - 0.5) + 0.06 * (noise(at * 17.0) - 0.5);
    float crown = clamp(1.3 - length(vec2(at.x / 0.75, (at.z - 0.35) / 0.9)), 0.0, 1.0) * clamp((at.y - 7.75) / 0.25, 0.0, 1.0);
    float grown = smoothstep(-0.02, 0.14, inside) * (1.0 - min(1.4 * scalp_thinning * crown, 0.97));
    float dots = smoothstep(0.35, 0.75, noise(at * 150.0));
    return grown * mix(scalp_cover * (0.55 + 0.9 * dots), scalp_cover, smoothstep(0.6, 0.9, scalp_cover));
}

float brow_hair(vec3 at) {
    float x = abs(at.x);
    float across = (x - brow_gap) / (0.56 - brow_gap); // 0 at the nose .. 1 at the temple
    float line = 7.455 + brow_shape.z * sin(clamp(across, 0.0, 1.0) * 2.6) + brow_shape.w * (across - 0.4);
    float thick = brow_shape.x * smoothstep(-0.12, 0.12, across) * mix(1.0, 0.35, smoothstep(0.45, 1.0, across));
    float v = (at.y - line) / max(thick, 0.001);
    // Strokes lean outwards, upright near the nose.
    vec2 lean = normalize(vec2(mix(0.35, 1.0, clamp(across * 2.0, 0.0, 1.0)), mix(1.0, -0.12, clamp(across * 2.0, 0.0, 1.0)) * (v > 0.0 && across > 0.25 ? -0.5 : 1.0)));
    vec2 p = vec2(dot(vec2(x, at.y), lean), dot(vec2(x, at.y), vec2(-lean.y, lean.x)));
    float stroke = noise(vec3(p.x * 9.0, p.y * 95.0, at.x > 0.0 ? 3.0 : 11.0));
    float body = smoothstep(1.0, 0.25, abs(v) + 0.35 * (noise(vec3(p.x * 14.0, p.y * 60.0, 7.0)) - 0.5));
    float ends = smoothstep(-0.08, 0.1, across) * smoothstep(1.06, 0.86, across);
    float front = smoothstep(0.9, 1.1, at.z);
    return clamp(body * ends * front * brow_shape.y * (0.35 + 1.1 * smoothstep(0.25, 0.65, stroke)), 0.0, 1.0);
}

// The skin's colour `base` with what grows at a place of the template.
vec3 groomed(vec3 base, vec3 at) {
    base = mix(base, base * 0.06 + scalp_colour * 0.7, clamp(scalp_hair(at), 0.0, 0.93));
    return mix(base, brow_colour, 0.92 * brow_hair(at));
}
