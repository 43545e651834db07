// Cloth: patterns, weave, folds, seams and buttons, by place on the template (dm) and distance to the hem.
uniform vec3 colour_of;
uniform vec3 second_of;
uniform int pattern;
uniform float pattern_scale; // dm
uniform float cloth_shine;
uniform float fold_depth;
uniform float ribbed; // 1: a knitted border along the hem, 2: ribs everywhere
uniform float buttons;
uniform float jacket;
uniform float low; // where the opening ends
uniform float slant; // of a tie's stripes
uniform float bulge; // half width over which a tie is round
uniform float stiff; // collars and lapels, without folds
uniform float rolled; // hoods and scarves, with folds of their own

// marked: distance to the hem, light that reaches the place, place on the flat cloth
out vec4 colour;

// How much of a pixel at v (period 1) lies in the part below `share`; grey where the pixel holds whole periods.
float striped(float v, float share) {
    float w = max(fwidth(v), 0.0001);
    float f = fract(v);
    float soft = clamp((share - f) / w + 0.5, 0.0, 1.0) * clamp(f / w + 0.5, 0.0, 1.0)
        + clamp((f - 1.0) / w + 0.5, 0.0, 1.0);
    return mix(soft, share, smoothstep(0.3, 0.9, w));
}

// 1 where detail of this size (dm) is larger than pixels.
float visible(float size) { return 1.0 - smoothstep(0.25, 0.7, length(fwidth(marked.zw)) / size); }

float cells(vec2 p) {
    vec2 cell = floor(p);
    return texture(noise_table, vec3(cell + 0.5, 0.5) / 32.0).r;
}

float patterned(vec2 p) {
    vec2 q = p / pattern_scale;
    if (pattern == 1) return striped(q.y, 0.45);
    if (pattern == 2) return 0.8 * striped(q.x * 1.4, 0.1);
    if (pattern == 3) return 0.5 * striped(q.x, 0.5) + 0.5 * striped(q.y, 0.5);
    if (pattern == 4) {
        vec2 f = fract(q + vec2(0.5 * floor(q.y), 0.0)) - 0.5;
        float w = max(length(fwidth(q)), 0.001);
        return mix(clamp((0.24 - length(f)) / w + 0.5, 0.0, 1.0), 0.18, smoothstep(0.4, 1.0, w));
    }
    if (pattern == 7) return 0.6 * smoothstep(0.3, 0.8, noise(vec3(p * vec2(40.0, 130.0), 1.0))) * visible(0.05) + 0.15;
    if (pattern == 8) {
        vec2 c = vec2(p.x, p.y - 4.3);
        float a = atan(c.y, c.x), r = length(c);
        float logo = smoothstep(0.02, -0.02, r - 0.55 - 0.12 * sin(a * 5.0 + 10.0 * pattern_scale));
        float hole = smoothstep(0.02, -0.02, abs(noise(vec3(c * 5.0, pattern_scale * 40.0)) - 0.5) - 0.09);
        float words = step(abs(c.y + 0.85), 0.09) * step(abs(c.x), 0.6) * striped(c.x * 7.0, 0.7);
        return max(logo * (1.0 - hole), words);
    }
    if (pattern == 9) {
        float petals = octaves(vec3(q * 2.2, 4.0));
        return smoothstep(0.55, 0.6, petals) * (0.5 + 0.5 * noise(vec3(q * 1.3, 9.0)));
    }
    if (pattern == 10) return smoothstep(0.02, -0.02, 0.52 - octaves(vec3(q * 0.8, 2.0)));
    return 0.0;
}

// Height of the cloth, dm: folds from the armpits and hanging ones, ribs, stitches.
float height(vec3 p, vec2 flat_place, bool near) {
    float h = 0.0;
    if (stiff + rolled < 0.5) {
        vec2 armpit = vec2(abs(p.x) - 1.75, p.y - 4.5);
        float far = length(armpit);
        vec2 towards = armpit / max(far, 0.01);
        h += 0.16 * (noise(vec3(towards * 3.5 + sign(p.x), far * 0.7)) - 0.5) * smoothstep(2.2, 0.3, far) * smoothstep(0.05, 0.5, far);
        h += 0.10 * (noise(vec3(p.x * 1.6, p.y * 0.4, p.z * 1.2 + 7.0)) - 0.5) * smoothstep(5.6, 4.0, p.y);
        h += 0.05 * (noise(vec3(p.x * 2.5 + p.y, p.y * 1.5 - p.x, p.z * 2.0)) - 0.5);
        h *= 3.2 * fold_depth;
    } else {
        h += (stiff > 0.5 ? 0.01 : 0.12 * fold_depth) * (noise(vec3(flat_place * vec2(1.2, 3.5), 5.0)) - 0.5);
        h += (stiff > 0.5 ? 0.0 : 0.04) * (noise(vec3(flat_place * vec2(5.0, 7.0), 2.0)) - 0.5);
    }
    float border = ribbed > 1.5 ? 1.0 : ribbed > 0.5 ? step(marked.x, 0.16) : 0.0;
    float around = rolled > 0.5 ? flat_place.x : 0.7 * atan(p.x, p.z - 0.2);
    h += 0.006 * border * sin(6.28 * 9.0 * around) * visible(0.11);
    if (pattern == 5) {
        float row = flat_place.y * 13.0, column = flat_place.x * 11.0;
        h += 0.012 * abs(sin(3.14 * column)) * (0.6 + 0.4 * sin(6.28 * (row + abs(fract(column) - 0.5)))) * visible(0.07);
    }
    if (near) h += 0.0015 * (noise(vec3(flat_place * 70.0, 3.0)) - 0.5) * visible(0.02);
    return h;
}

// The normal of a surface raised by h, from differences between neighbouring pixels (Mikkelsen 2010).
vec3 bumped(vec3 n, float h) {
    vec3 across = dFdx(world), down = dFdy(world);
    vec3 r1 = cross(down, n), r2 = cross(n, across);
    float det = dot(across, r1);
    vec3 slope = sign(det) * (dFdx(h) * r1 + dFdy(h) * r2);
    return beside ? normalize(max(abs(det), 1e-9) * n - clamp(slope, -2.0 * abs(det), 2.0 * abs(det))) : n;
}

void main() {
    gather();
    vec3 n = normalize(facing);
    if (!front) n = -n;
    vec2 p = marked.zw;
    bool back = on_template.z < 0.1;
    float seam = 1.0;
    bool near = visible(0.02) > 0.0; // the weave is larger than pixels
    float h = height(on_template, p, near);
    if (marked.x > 0.0 && stiff < 0.5 && ribbed < 0.5) seam -= 0.35 * (1.0 - smoothstep(0.0, 0.012, abs(marked.x - 0.07))) * visible(0.03);
    if (ribbed > 0.5 && ribbed < 1.5) seam -= 0.3 * (1.0 - smoothstep(0.0, 0.02, abs(marked.x - 0.16)));
    if (stiff > 0.5) seam -= 0.25 * (1.0 - smoothstep(0.0, 0.012, abs(marked.x - 0.05))) * visible(0.03);
    vec3 base = mix(colour_of, second_of, patterned(slant == 0.0 ? p : vec2(p.x, p.y + slant * p.x * 1.2)));
    if (pattern == 6) base *= 0.7 + 0.5 * octaves(vec3(p * vec2(30.0, 60.0), 1.0)) + 0.25 * octaves(vec3(p * 1.5, 6.0));
    if (near) base *= 0.92 + 0.16 * noise(vec3(p * 60.0, 1.0)) * visible(0.02);
    float shine = cloth_shine;
    if (buttons > 0.5 && !back && p.y < low + 0.1) {
        seam -= 0.4 * (1.0 - smoothstep(0.0, 0.012, abs(p.x - 0.13)));
        seam -= 0.2 * (1.0 - smoothstep(0.0, 0.012, abs(p.x + 0.1)));
        vec2 c = vec2(p.x - 0.015, mod(p.y - low + 0.15, 0.75) - 0.15);
        float disc = smoothstep(0.065, 0.05, length(c));
        base = mix(base, mix(base * 0.4, vec3(0.7), step(dot(colour_of, vec3(0.33)), 0.3) * 0.3 + 0.5), disc);
        seam -= 0.35 * (smoothstep(0.09, 0.06, length(c - vec2(0.01, -0.015))) - disc);
    }
    if (jacket > 0.5 && !back) {
        float overlap = p.x - 0.22;
        if (p.y < low) seam -= 0.55 * (1.0 - smoothstep(0.0, 0.025, abs(overlap)));
        vec2 c = vec2(p.x - 0.05, mod(p.y - low + 0.25, 1.1) - 0.15);
        if (p.y < low) base = mix(base, base * 0.3 + 0.01, smoothstep(0.12, 0.10, length(c)));
        vec2 pocket = vec2(p.x - 1.0, p.y - 4.2 - 0.08 * (p.x - 1.0));
        seam -= 0.4 * (1.0 - smoothstep(0.0, 0.02, abs(abs(pocket.y) - 0.1))) * step(abs(pocket.x), 0.4);
    }
    if (bulge > 0.0) n = normalize(n + vec3(0.9 * p.x / bulge, 0.0, 0.0));
    n = bumped(n, h);
    vec3 light = diffuse(world, n, vec3(0.12), marked.y);
    // Folds hold less light, hems and the thickness of an edge less still.
    float hollow = clamp(1.0 + 2.2 * h, 0.6, 1.15) * (marked.x < 0.0 ? 0.55 : 1.0);
    vec3 fuzz = 0.06 * base * pow(1.0 - min(abs(dot(n, normalize(camera - world))), 1.0), 3.0) * light;
    colour = vec4(base * light * hollow * max(seam, 0.3) + fuzz, 1.0);
    if (cloth_shine > 0.06) colour.rgb += cloth_shine * gloss(world, n, mix(0.75, 0.38, cloth_shine)) * seam;
}
