// A row of teeth and its gum. marked: x along the arch from the middle, dm; y: 0 at the root .. 1 at the edge.
uniform vec3 tooth_colour;
uniform vec3 gum_colour;
uniform float tooth_ends[8]; // where each tooth of one side begins and ends, dm along the arch
uniform float root; // up 1, down -1
uniform float crooked;
uniform float spaced; // dm between the middle two
uniform vec3 pattern;

in vec3 world;
in vec3 facing;
in vec3 on_template;
in vec4 marked;
out vec4 colour;

void main() {
    vec3 gap = between_lips(world);
    // Teeth end where the lips hide them, whatever the mesh of the lips does.
    if (gap.y + gap.z < mix(0.012, 0.035, smoothstep(0.3, 0.9, abs(gap.x))) || gap.y < -0.01 || gap.z < -0.012 || abs(gap.x) > 1.0) discard;
    float s = abs(marked.x), side = sign(marked.x), px = length(fwidth(world)) * 0.7;
    int k = 0;
    for (int i = 1; i < 7; i++) k = s > tooth_ends[i] ? i : k;
    float middle = 0.5 * (tooth_ends[k] + tooth_ends[k + 1]), half_width = 0.5 * (tooth_ends[k + 1] - tooth_ends[k]);
    float t = (s - middle) / half_width, own = noise(vec3(3.7 * float(k) + 1.3 * side, 5.0 * root, 2.0) + pattern) - 0.5;
    float own_too = noise(vec3(4.9 * float(k) - 2.1 * side, 7.0 * root, 8.0) + pattern) - 0.5;

    float from_edge = (1.0 - marked.y) * 0.18;
    float edge = 0.004 + 0.014 * pow(abs(t), 4.0) + 0.016 * crooked * (own + 0.5) + (k == 2 ? 0.014 * abs(t) : 0.0);
    if (from_edge < edge) discard;
    float crown = (k == 1 ? 0.088 : 0.098) + 0.02 * own_too - 0.034 * t * t;
    if (s < 0.5 * spaced && from_edge < crown - 0.01) discard;
    float gum = smoothstep(-px - 0.003, px + 0.003, from_edge - crown);

    vec3 n = normalize(facing), along = normalize(cross(head_up, n));
    n = normalize(n + along * (side * 0.55 * t * t * t + crooked * own) + head_up * root * (4.0 * (from_edge - 0.05) + 0.4 * crooked * own_too));
    float slit = smoothstep(1.0 - (0.004 + 0.6 * px) / half_width, 1.0, abs(t)) * (0.005 / (0.005 + 0.5 * px));
    vec3 tooth = tooth_colour * (1.0 + 0.22 * own) * mix(vec3(0.9, 0.8, 0.62), vec3(1.0), smoothstep(0.1, 0.045, from_edge));
    tooth = mix(tooth, vec3(0.5, 0.55, 0.6) * tooth, 0.5 * smoothstep(0.018, 0.004, from_edge));
    tooth *= 1.0 - 0.75 * slit * (1.0 - gum);
    vec3 base = mix(tooth, gum_colour * (0.8 + 0.4 * noise(on_template * 60.0)), gum);
    float light = reaching(gap, max(1.5 - on_template.z, 0.0));
    vec3 lit = base * diffuse(world, n, vec3(0.3, 0.25, 0.2), 0.8) * light;
    colour = vec4(lit + 1.6 * gloss(world, n, 0.33) * light * (1.0 - slit), 1.0);
}
