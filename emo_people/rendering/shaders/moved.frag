// Where each pixel's place was in another picture, and whether it was hidden there.
uniform sampler2D other_depth;
uniform vec2 size; // px

in vec3 was;
out vec4 colour;

void main() {
    vec2 here = vec2(gl_FragCoord.x, size.y - gl_FragCoord.y);
    vec2 at = vec2(was.x, size.y - was.y) / size;
    bool outside = any(lessThan(at, vec2(0.0))) || any(greaterThan(at, vec2(1.0)));
    bool hidden = outside || was.z > texture(other_depth, at).r + 0.0012;
    colour = vec4(was.xy - here, hidden ? 1.0 : 0.0, 1.0);
}
