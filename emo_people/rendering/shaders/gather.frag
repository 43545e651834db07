// What a pixel of a surface is, for gathered.glsl.
uniform float number; // of the thing, 1..

in vec3 world;
in vec3 facing;
in vec3 on_template;
in vec4 marked;
layout(location = 0) out vec4 place;
layout(location = 1) out vec4 turned;
layout(location = 2) out vec4 of_template;
layout(location = 3) out vec4 marks;

void main() {
    place = vec4(world, gl_FrontFacing ? number : -number);
    turned = vec4(facing, 0.0);
    of_template = vec4(on_template, 0.0);
    marks = marked;
}
