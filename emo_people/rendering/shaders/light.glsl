// Light on a surface: up to three lamps, the sky and the ground, and the key light's shadow.
uniform vec3 lamp_direction[3]; // towards the lamp
uniform vec3 lamp_colour[3];
uniform float lamp_softness[3];
uniform vec3 environment[9]; // irradiance in spherical harmonics
uniform sampler2D shadows;
uniform mat4 to_shadow;
uniform vec3 camera;
uniform sampler3D noise_table;

float noise(vec3 p) { return texture(noise_table, p / 32.0).r; }

float octaves(vec3 p) { return 0.5 * noise(p) + 0.3 * noise(p * 2.1 + 7.0) + 0.2 * noise(p * 4.3 + 3.0); }

float seen_by_key(vec3 place, vec3 n) {
    vec4 p = to_shadow * vec4(place + 0.04 * n, 1.0);
    vec3 at = p.xyz * 0.5 + 0.5;
    if (any(lessThan(at, vec3(0.0))) || any(greaterThan(at, vec3(1.0)))) return 1.0;
    vec2 texel = 1.2 / vec2(textureSize(shadows, 0));
    float lit = 0.0;
    for (int y = -1; y <= 1; y++)
        for (int x = -1; x <= 1; x++)
            lit += step(at.z - 0.002, texture(shadows, at.xy + vec2(x, y) * texel).r);
    return lit / 9.0;
}

float key_seen = -1.0; // what `unshadowed` found for this fragment

// The share of the key light that reaches the place; looked up once, since every light asks for it.
float unshadowed(vec3 place, vec3 n) {
    if (key_seen < 0.0) key_seen = seen_by_key(place, n);
    return key_seen;
}

vec3 ambient(vec3 n) {
    vec3 sum = environment[0] + environment[1] * n.y + environment[2] * n.z + environment[3] * n.x;
    sum += environment[4] * n.x * n.y + environment[5] * n.y * n.z + environment[6] * (3.0 * n.z * n.z - 1.0);
    return max(sum + environment[7] * n.x * n.z + environment[8] * (n.x * n.x - n.y * n.y), 0.0);
}

// Diffuse light; `wrap` (per colour) lets it reach round the edge as it does within skin.
// open: the share of the surroundings that reaches the place.
vec3 diffuse(vec3 place, vec3 n, vec3 wrap, float open) {
    vec3 sum = ambient(n) * open;
    for (int k = 0; k < 3; k++) {
        vec3 soft = wrap + lamp_softness[k];
        vec3 lit = clamp((dot(n, lamp_direction[k]) + soft) / (1.0 + soft), 0.0, 1.0);
        float free = k == 0 ? unshadowed(place, n) : 1.0;
        sum += lamp_colour[k] * lit * lit * mix(vec3(0.15) + 0.5 * wrap, vec3(1.0), free);
    }
    return sum;
}

// Light that the surface mirrors, 0..; rough: 0 a mirror .. 1 chalk.
vec3 gloss(vec3 place, vec3 n, float rough) {
    vec3 view = normalize(camera - place);
    float power = 2.0 / max(rough * rough * rough * rough, 0.001);
    vec3 sum = vec3(0.0);
    for (int k = 0; k < 3; k++) {
        vec3 half_way = normalize(view + lamp_direction[k]);
        float facing_lamp = max(dot(n, lamp_direction[k]), 0.0);
        float free = k == 0 ? unshadowed(place, n) : 1.0;
        sum += free * lamp_colour[k] * facing_lamp * pow(max(dot(n, half_way), 0.0), power) * (power + 8.0) / 25.0;
    }
    float fresnel = 0.04 + 0.96 * pow(1.0 - clamp(dot(n, view), 0.0, 1.0), 5.0);
    return fresnel * (sum + 0.5 * ambient(reflect(-view, n)));
}
