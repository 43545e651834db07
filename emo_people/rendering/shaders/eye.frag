// An eye: white, iris and pupil by the angle from its axis; the cornea's highlight.
uniform vec3 eye_centre; // where it is now
uniform vec3 eye_axis; // where it looks
uniform float eye_radius;
uniform vec3 iris_colour;
uniform float iris; // radians
uniform float pupil;

in vec3 world;
in vec3 facing;
in vec3 on_template;
in vec4 marked;
out vec4 colour;

void main() {
    vec3 out_there = normalize(world - eye_centre);
    float angle = acos(clamp(dot(out_there, eye_axis), -1.0, 1.0));
    float around = noise(out_there * 60.0);
    vec3 white = vec3(0.80, 0.76, 0.74) * mix(vec3(1.0), vec3(0.85, 0.62, 0.58), smoothstep(0.5, 1.2, angle));
    vec3 coloured = iris_colour * (0.6 + 0.8 * around) * (0.7 + 0.5 * angle / iris);
    coloured *= 1.0 - 0.7 * smoothstep(0.8 * iris, iris, angle);
    vec3 base = mix(coloured, white, smoothstep(0.94 * iris, 1.06 * iris, angle));
    base = mix(vec3(0.015), base, smoothstep(0.9 * pupil, 1.1 * pupil, angle));
    vec3 light = diffuse(world, out_there, vec3(0.1), 0.8);
    // The lids shade the upper part.
    float shade = mix(0.55, 1.0, smoothstep(0.75, -0.1, out_there.y));
    colour = vec4(base * light * shade + 2.0 * gloss(world, out_there, 0.22), 1.0);
}
