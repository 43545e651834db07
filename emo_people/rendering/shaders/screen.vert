// One triangle over all of the picture, at the depth that numbers.frag gives a thing's pixels.
uniform float number;

void main() {
    vec2 corner = vec2(4 * (gl_VertexID & 1) - 1, 2 * (gl_VertexID & 2) - 1);
    gl_Position = vec4(corner, number / 128.0 - 1.0, 1.0);
}
