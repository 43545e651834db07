// Sunglasses.
uniform float tint;

in vec3 world;
in vec3 facing;
out vec4 colour;

void main() {
    vec3 n = normalize(facing);
    vec3 view = normalize(camera - world);
    float dither = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715)))) - 0.5;
    float cover = tint + 0.25 * dither * step(tint, 0.9);
    if (cover < 0.05) discard;
    vec3 mirrored = gloss(world, n, 0.25) + 0.08 * ambient(reflect(-view, n));
    colour = vec4(vec3(0.01) + mirrored, clamp(cover, 0.0, 1.0));
}
