// Teeth and tongue.
uniform vec3 part_colour;

in vec3 world;
in vec3 facing;
in vec3 on_template;
in vec4 marked;
out vec4 colour;

void main() {
    vec3 n = normalize(facing);
    float deep = smoothstep(0.9, 1.45, on_template.z);
    colour = vec4(part_colour * diffuse(world, n, vec3(0.3), 0.4) * (0.15 + 0.5 * deep) + 0.6 * gloss(world, n, 0.3) * deep, 1.0);
}
