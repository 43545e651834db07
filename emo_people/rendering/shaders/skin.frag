// Skin, lips and the inside of the mouth; clothes below the neck's line.
uniform vec3 skin_colour;
uniform vec3 lip_colour;
uniform float shine;

in vec3 world;
in vec3 facing;
in vec3 on_template;
in vec4 marked;
out vec4 colour;

void main() {
    vec3 n = normalize(facing);
    float grain = octaves(on_template * 14.0);
    vec3 base = skin_colour * (0.86 + 0.28 * octaves(on_template * 3.0)) * (0.94 + 0.12 * grain);
    base = mix(base, lip_colour * (0.9 + 0.2 * grain), smoothstep(0.15, 0.6, marked.x));
    base = mix(base, vec3(0.22, 0.04, 0.04), marked.y);
    vec3 light = diffuse(world, n, vec3(0.3, 0.12, 0.08), marked.z) * mix(1.0, 0.35, marked.y);
    colour = vec4(base * light + gloss(world, n, shine) * (1.0 - marked.y), 1.0);
}
