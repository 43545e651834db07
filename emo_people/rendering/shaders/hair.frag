// Single hairs within ribbons.
uniform vec3 hair_colour;
uniform vec3 tip_colour;
uniform float grey;
uniform float hairs; // across a ribbon
uniform float solid; // how much of what is behind a ribbon it hides, 0..1

in vec4 marked; // see hair.vert
in vec3 scattered;
in vec3 mirrored;
out vec4 colour;

void main() {
    float across = marked.y * 0.5 + 0.5;
    float streak = noise(vec3(across * hairs + 0.5 * marked.x, marked.x * 1.3, marked.z * 31.0));
    // Ribbons thin out by their shape; holes as small as pixels would look like dots.
    float thin = 0.14 + 0.4 * smoothstep(0.5, 1.0, marked.w) + 0.3 * smoothstep(0.6, 1.0, abs(marked.y));
    float cover = smoothstep(thin - 0.14, thin + 0.14, streak);
    cover *= min(solid * (0.8 + 0.4 * marked.z), 1.0);
    if (cover < 0.1) discard;
    float own = fract(marked.z * 57.0 + floor(across * hairs) * 0.37);
    // Hairs thinner than a pixel show their mean.
    float blur = clamp(1.5 * fwidth(across) * hairs - 0.4, 0.0, 1.0);
    streak = mix(streak, 0.5, 0.4 * blur);
    vec3 base = mix(hair_colour, tip_colour, marked.w) * (0.55 + 0.9 * streak) * (0.8 + 0.4 * own);
    base = mix(base, vec3(0.42, 0.41, 0.40) * (0.7 + 0.5 * streak), mix(step(own, grey), grey, blur) * 0.9);
    base *= mix(0.45, 1.0, max(smoothstep(0.0, 0.35, marked.x), marked.w)); // dark at the roots
    colour = vec4(base * scattered + mirrored * (0.4 + 1.2 * streak), cover);
}
