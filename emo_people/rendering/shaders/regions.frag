// Which part of the person is seen: 1 at most in one channel for the eyes, the lips and the rest of the face.
uniform int part; // 0 skin, 1 an eye, 2 anything else
uniform vec3 face_low;
uniform vec3 face_high;

in vec3 on_template;
in vec4 marked;
out vec4 colour;

void main() {
    bool face = all(greaterThan(on_template, face_low)) && all(lessThan(on_template, face_high));
    bool lips = within_lips(on_template) > 0.0 && marked.y < 0.5;
    colour = part == 1 ? vec4(0, 0, 1, 1) : part == 2 || !face ? vec4(0, 0, 0, 1) : lips ? vec4(0, 1, 0, 1) : vec4(1, 0, 0, 1);
}
