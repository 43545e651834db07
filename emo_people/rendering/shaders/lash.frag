uniform vec3 part_colour;

in vec3 world;
in vec3 facing;
in vec3 on_template;
in vec4 marked;
out vec4 colour;

void main() {
    float hair = noise(vec3(on_template.x * 160.0, on_template.y * 8.0, 3.0));
    if (hair < 0.5) discard;
    colour = vec4(part_colour, 1.0);
}
