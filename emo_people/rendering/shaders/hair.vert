// Ribbons of hair, lit at their vertices. normal: of the hair as a whole; rest: the strand's direction in the
// head's axes, as long as the place is open to light (0..1); marks: dm from the root, -1..1 across, 0..1 which
// ribbon, 0..1 from root to tip.
uniform vec3 centre;
uniform vec2 middle;
uniform vec2 scale;
uniform float away;
uniform vec3 hair_colour;
uniform vec3 tip_colour;
uniform float shine;
uniform float roughness; // of the hairs' order: 0 combed .. 1 coiled
uniform mat3 head_turn;

in vec3 place;
in vec3 normal;
in vec3 rest;
in vec4 marks;

out vec4 marked;
out vec3 scattered; // light that takes the hair's colour
out vec3 mirrored;

void main() {
    vec3 p = place - centre;
    float w = (away - p.z) / away;
    gl_Position = vec4(middle * w + scale * p.xy, -p.z / 20.0 * w, w);
    marked = marks;

    float open = length(rest);
    vec3 n = normalize(normal);
    vec3 along = normalize(head_turn * rest + 0.3 * (marks.z - 0.5) * n);
    vec3 view = normalize(camera - place);
    vec3 base = mix(hair_colour, tip_colour, marks.w);
    scattered = ambient(n) * open * 0.9;
    mirrored = vec3(0.0);
    for (int k = 0; k < 3; k++) {
        vec3 lamp = lamp_direction[k];
        float wrap = 0.35 + 0.4 * lamp_softness[k];
        float reached = clamp((dot(n, lamp) + wrap) / (1.0 + wrap), 0.0, 1.0);
        float free = k == 0 ? mix(0.25, 1.0, unshadowed(place + 0.1 * n, n)) : 1.0;
        float side = sqrt(max(1.0 - dot(along, lamp) * dot(along, lamp), 0.0));
        vec3 half_way = normalize(view + lamp);
        // The highlight of the surface lies towards the root of the one from within, which has the hair's colour.
        float t = dot(along, half_way), t2 = dot(normalize(along + 0.12 * n), half_way);
        float first = pow(max(1.0 - t2 * t2, 0.0), mix(140.0, 30.0, lamp_softness[k]));
        float second = pow(max(1.0 - t * t, 0.0), mix(24.0, 10.0, lamp_softness[k]));
        vec3 light = lamp_colour[k] * free * open * reached;
        scattered += light * (0.35 + 0.65 * side);
        mirrored += light * shine * (0.06 * first + 0.9 * base * second) * (1.0 - roughness);
    }
}
