
in vec3 place;

void main() { gl_Position = to_shadow * vec4(place, 1.0); }
