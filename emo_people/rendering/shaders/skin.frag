// Skin, lips and the inside of the mouth.
uniform vec3 skin_colour;
uniform vec3 lip_colour;
uniform float shine; // roughness of what it mirrors
uniform float blood; // redness of cheeks, nose, ears
uniform float freckles;
uniform float blotches; // of an old skin
uniform float rings; // below the eyes
uniform float pores;
uniform float slack; // fine creases of an old skin
uniform float pale_patches; // vitiligo
uniform int spot_count;
uniform vec4 spots[12]; // x and y on the template, radius; melanin above 0, blood below
uniform vec4 scar; // x, y, half of its length and width
uniform vec3 scar_look; // cosine and sine of its angle; how red it is, pale below 0
uniform vec3 pattern; // where in the noise this skin lies
uniform vec4 lipstick; // the last value of each is how much of it covers
uniform vec4 eye_shadow;
uniform vec4 rouge;
uniform float liner;
uniform float foundation;

out vec4 colour;

float blob(vec2 p, float x, float y, float wide, float high) {
    vec2 d = (p - vec2(x, y)) / vec2(wide, high);
    return exp(-dot(d, d));
}

vec3 tanned(float melanin) { return exp(-melanin * vec3(0.55, 0.9, 1.25)); }

vec3 flushed(float haemoglobin) { return exp(-haemoglobin * vec3(0.1, 0.75, 0.6)); }

// The normal of a surface that is raised by `height` dm (Mikkelsen 2010, bump mapping unparametrized surfaces).
vec3 raised(vec3 n, vec3 place, float height) {
    vec3 right = dFdx(place), up = dFdy(place);
    vec3 a = cross(up, n), b = cross(n, right);
    float area = dot(right, a);
    vec3 slope = sign(area) * (dFdx(height) * a + dFdy(height) * b);
    return beside ? normalize((abs(area) + 1e-12) * n - clamp(slope, -abs(area), abs(area))) : n;
}

// Half of the detail at `frequency` per dm is gone when a pixel covers a third of its wave.
float seen(float frequency, float px) { return 1.0 - smoothstep(0.25, 0.6, frequency * px); }

float fifth(float x) { return x * x * x * x * x; }

// What skin mirrors of a lamp: a broad lobe and the narrow one of its oil.
float lobes(float n_h, float rough) {
    float square = rough * rough, broad = 2.0 / (square * square), narrow = 6.77 * broad, falls = log2(max(n_h, 1e-4));
    return 0.09375 * (broad + 8.0) * exp2(broad * falls) + 0.03125 * (narrow + 8.0) * exp2(narrow * falls);
}

// How much a place on the template lies in the scar.
float scarred(vec2 t, float px, float wander) {
    vec2 d = mat2(scar_look.x, -scar_look.y, scar_look.y, scar_look.x) * (t - scar.xy);
    float along = abs(d.x) / scar.z, across = abs(d.y + 0.06 * (wander - 0.5)) / max(scar.w, 0.6 * px);
    return (1.0 - smoothstep(0.5, 1.0, across)) * (1.0 - smoothstep(0.7, 1.0, along));
}

void main() {
    gather();
    vec3 view = normalize(camera - world), n = normalize(facing), t = on_template;
    n = normalize(n + view * max(0.0, 0.15 - dot(n, view))); // no skin that is seen faces away
    vec2 m = vec2(abs(t.x), t.y);
    float px = beside ? 0.7 * length(fwidth(t)) : pixel;
    float front = smoothstep(0.55, 0.95, t.z);
    float wide = noise(t * 3.0 + pattern), middle = noise(t * 9.0 + pattern.zxy);
    float fine = seen(30.0, px) > 0.0 ? mix(0.5, noise(t * 31.0 + pattern), seen(30.0, px)) : 0.5;
    float pore = seen(80.0, px) > 0.0 ? mix(0.5, noise(t * 83.0 + pattern), seen(80.0, px)) : 0.5;

    float cheek = blob(m, 0.42, 6.96, 0.2, 0.18) * front, nose = blob(m, 0.0, 6.93, 0.15, 0.13) * front;
    float chin = blob(m, 0.0, 6.37, 0.17, 0.12) * front, forehead = blob(m, 0.0, 7.68, 0.38, 0.2) * front;
    float ear = smoothstep(0.73, 0.8, m.x) * smoothstep(6.8, 6.95, m.y);
    float below_eye = blob(m, 0.29, 7.185, 0.2, 0.06) + 0.6 * blob(m, 0.165, 7.25, 0.06, 0.09);
    float lid = blob(m, 0.31, 7.36, 0.21, 0.05) * front;

    // Melanin and blood.
    float melanin = 0.22 * (wide - 0.5) + 0.16 * (middle - 0.5) + 0.12 * (fine - 0.5) + 0.1 * (pore - 0.5) + 0.15 * lid - 0.1 * forehead;
    float haemoglobin = 0.3 * (middle - 0.5) + 0.2 * (wide - 0.5) + 0.35 * (pore - 0.5);
    haemoglobin += blood * (0.75 * cheek * (0.6 + 0.8 * middle) + 0.8 * nose + 0.35 * chin + 0.8 * ear) + 0.25 * lid - 0.15 * forehead;
    float speck = smoothstep(0.3, 0.62, noise(t * 48.0 + pattern.yzx) * noise(t * 29.0 + pattern.zyx)) * (0.3 + 1.2 * middle);
    melanin += 1.2 * freckles * speck * seen(40.0, px) * (cheek + 0.8 * nose + 0.3 * forehead + 0.12 * front);
    float spotted = noise(t * 21.0 + pattern.yxz) * (0.55 + 0.6 * wide) * front;
    melanin += 0.7 * blotches * smoothstep(0.6, 0.85, spotted) * (0.3 + 0.7 * fine);
    haemoglobin += 0.4 * blotches * smoothstep(0.5, 0.9, fine) * (cheek + nose);
    melanin += rings * below_eye * front * 0.55;
    haemoglobin += rings * below_eye * front * 0.25;
    float bumps = 0.0;
    for (int k = 0; k < spot_count; k++) {
        float near = 1.0 - smoothstep(0.5, 1.0, length(t.xy - spots[k].xy) / max(spots[k].z, 0.8 * px));
        near *= front;
        melanin += max(spots[k].w, 0.0) * near;
        haemoglobin += max(-spots[k].w, 0.0) * near;
        bumps += abs(spots[k].w) * near;
    }
    float healed = scarred(t.xy, px, middle) * front;
    melanin -= 0.4 * max(-scar_look.z, 0.0) * healed;
    haemoglobin += scar_look.z * healed;
    melanin *= 1.0 - 0.6 * foundation;
    haemoglobin *= 1.0 - 0.6 * foundation;
    float deep = folded(t, px, 2.0 * middle - 1.0) * (0.45 + 0.5 * middle + 0.35 * fine);
    vec3 base = skin_colour * tanned(melanin) * flushed(haemoglobin + 0.25 * deep) * exp(-0.22 * deep);
    base = mix(base, vec3(0.72, 0.5, 0.42), pale_patches * smoothstep(0.58, 0.62, wide + 0.15 * (middle - 0.5)));
    base = mix(base, base * vec3(0.92, 0.96, 1.06), rings * below_eye * front * 0.7);

    // Make-up.
    base = mix(base, rouge.rgb, rouge.a * blob(m, 0.46, 7.0, 0.16, 0.11) * front);
    float above_lid = blob(m, 0.32, 7.375, 0.2, 0.055) * smoothstep(7.27, 7.3, m.y) * front;
    base = mix(base, eye_shadow.rgb * (0.8 + 0.4 * fine), eye_shadow.a * above_lid);
    float edge = smoothstep(0.5, 0.95, marked.w);
    base = mix(base, base * flushed(0.3), edge * front * (1.0 - liner));
    base = mix(base, vec3(0.015, 0.012, 0.012), liner * edge * front * step(7.24, m.y));

    // Lips.
    float line = seen(40.0, px) * (noise(vec3(t.x * 46.0, t.y * 7.0, pattern.x)) - 0.5);
    float soft = mix(0.014, 0.004, lipstick.a) + 0.5 * px;
    float lips = smoothstep(-soft, soft, within_lips(t) + 0.012 * (middle - 0.5) * (1.0 - lipstick.a));
    vec3 lip = lip_colour * tanned(0.5 * (middle - 0.5)) * flushed(0.8 * line + 0.5 * (fine - 0.5));
    lip = mix(lip, lipstick.rgb * (1.0 - 0.3 * line), lipstick.a);
    base = mix(base, lip, lips);
    base = mix(base, mix(vec3(0.1, 0.02, 0.02), lip_colour * vec3(0.75, 0.5, 0.5), smoothstep(0.95, 1.4, t.z)), marked.y);

    float inside = smoothstep(0.5, 1.5, t.z);
    if (marked.y > 0.0) {
        // Through a slit one sees no depth, only wet lips.
        vec3 gap = between_lips(world);
        float slit = 1.0 - smoothstep(0.02, 0.09, gap.y + gap.z);
        base = mix(base, lip_colour * vec3(0.5, 0.36, 0.34), slit * marked.y);
        inside = mix(inside, 0.9, slit);
    }
    base = groomed(base, t, marked.x);

    float open = max(marked.z, 0.5 * max(lips, marked.y));
    base *= mix(vec3(0.5, 0.25, 0.2), vec3(1.0), smoothstep(0.02, 0.3, max(open, marked.y)));

    float height = -0.0055 * deep + 0.004 * (middle - 0.5) * (0.4 + slack) + 0.003 * bumps - 0.0015 * healed;
    height += (0.0012 * (fine - 0.5) + 0.0009 * (pore - 0.5)) * (0.4 + pores) * (1.0 - 0.7 * lips);
    if (slack > 0.1) height += 0.003 * slack * seen(24.0, px) * (noise(vec3(t.x * 14.0, t.y * 26.0, t.z * 14.0)) - 0.5);
    height += 0.002 * line * lips;
    vec3 bumped = raised(n, world, height);

    // Light: red goes deep and comes out smooth, blue shows every pore.
    vec3 wrap = mix(vec3(0.34, 0.13, 0.08), vec3(0.2, 0.1, 0.08), lips);
    vec3 hollow = pow(vec3(open), vec3(0.7, 0.95, 1.05));
    vec3 lit = mix(ambient(n), ambient(bumped), 0.5) * hollow;
    float oil = 1.0 + 0.5 * (forehead + nose + 0.5 * chin + 0.5 * cheek);
    float rough = clamp(mix(shine + 0.12 * (fine - 0.5), mix(0.42, 0.5, foundation), lips), 0.25, 0.9);
    vec3 mirrored = vec3(0.0);
    for (int k = 0; k < 3; k++) {
        vec3 soft = wrap + lamp_softness[k];
        vec3 cosines = vec3(dot(mix(n, bumped, 0.5), lamp_direction[k]), vec2(dot(bumped, lamp_direction[k])));
        vec3 reached = clamp((cosines + soft) / (1.0 + soft), 0.0, 1.0);
        float free = k == 0 ? unshadowed(world, n) : smoothstep(0.2, 0.7, marked.z);
        vec3 around = mix(vec3(0.1) + 0.6 * wrap, vec3(1.0), free) * mix(vec3(1.0), hollow, 0.5);
        lit += lamp_colour[k] * reached * reached * around;
        vec3 half_way = normalize(view + lamp_direction[k]);
        float fresnel = 0.028 + 0.6 * fifth(1.0 - clamp(dot(view, half_way), 0.0, 1.0));
        float lobe = lobes(max(dot(bumped, half_way), 0.0), clamp(rough + 0.2 * lamp_softness[k], 0.2, 0.95));
        mirrored += lamp_colour[k] * free * fresnel * lobe * clamp(2.0 * cosines.y + 0.3 * lamp_softness[k], 0.0, 1.0);
    }
    float grazing = 0.028 + 0.35 * (1.0 - rough) * fifth(1.0 - clamp(dot(bumped, view), 0.0, 1.0));
    mirrored = oil * mirrored + grazing * ambient(reflect(-view, bumped));
    mirrored *= clamp(1.7 * marked.z - 0.4, 0.0, 1.0) * mix(1.0, 1.3, lips) * (1.0 - 0.5 * foundation);
    mirrored *= 1.0 - 0.9 * covered;
    colour = vec4(base * lit * mix(1.0, 0.6 * inside, marked.y) + mirrored * (1.0 - marked.y), 1.0);
}
