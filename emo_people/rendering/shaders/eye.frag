// An eye: a smooth ball whatever the mesh's facets, the iris behind a cornea that bulges and mirrors the lamps,
// the shadow of the lids, the wet line on the lower one and the pink corner.
uniform vec3 eye_centre; // where it is now
uniform vec3 eye_axis; // where it looks
uniform float eye_radius; // dm
uniform vec3 head_right;
uniform vec3 head_up;
uniform vec3 iris_colour;
uniform vec3 iris_ring; // around the pupil
uniform vec3 eye_white;
uniform float iris; // radians
uniform float pupil; // of the iris
uniform float limbal; // darkness of the iris's rim
uniform float veins;
uniform vec3 pattern;
uniform vec4 upper_lid; // y of its edge by powers of x; both from the eye's centre, right and up, in radii
uniform vec4 lower_lid;
uniform vec2 inner_corner;

in vec3 world;
in vec3 facing;
in vec3 on_template;
in vec4 marked;
out vec4 colour;

float edge_of(vec4 lid, float x) { return lid.x + x * (lid.y + x * (lid.z + x * lid.w)); }

vec3 iris_at(float r, vec2 around, float px) {
    float coarse = noise(vec3(around * 5.0, 1.5 * r) + pattern), fine = noise(vec3(around * 13.0, 2.0 * r) + pattern);
    float fibre = mix(coarse, fine, 0.5 * (1.0 - smoothstep(0.05, 0.2, px)));
    float collar = pupil + 0.16 + 0.1 * (coarse - 0.5);
    vec3 base = mix(iris_ring, iris_colour, smoothstep(collar - 0.08, collar + 0.14, r));
    base *= 0.55 + 0.9 * fibre + 0.25 * exp(-(r - collar) * (r - collar) / 0.0049);
    base *= 1.0 - limbal * smoothstep(0.72, 1.0, r);
    return mix(base, vec3(0.006), 1.0 - smoothstep(pupil - 0.04 - px, pupil + 0.03 + px, r));
}

void main() {
    vec3 from = camera - eye_centre, along = normalize(world - camera);
    float b = dot(from, along), inside = b * b - dot(from, from) + eye_radius * eye_radius;
    vec3 place = inside > 0.0 ? from - (b + sqrt(inside)) * along : world - eye_centre;
    vec3 n = normalize(place);
    float angle = acos(clamp(dot(n, eye_axis), -1.0, 1.0)), px = length(fwidth(world)) * 0.7 / eye_radius;
    float in_iris = 1.0 - smoothstep(iris - 0.5 * px - 0.025, iris + 0.5 * px + 0.03, angle);
    vec3 cornea = normalize(n - 0.42 * eye_axis);

    vec2 e = vec2(dot(n, head_right), dot(n, head_up));
    float below_upper = edge_of(upper_lid, e.x) - e.y, above_lower = e.y - edge_of(lower_lid, e.x);

    // White.
    float to_corner = smoothstep(0.25, 0.75, abs(e.x));
    float vein = smoothstep(0.13, 0.0, abs(noise(vec3(e.x * 9.0, e.y * 22.0, 3.0) + pattern) - 0.5) + 0.5 * px);
    vec3 white = eye_white * exp(-vec3(0.05, 0.4, 0.42) * (veins * (0.5 * vein * (0.2 + to_corner) + 0.5 * to_corner) + 0.25 * to_corner));

    // Iris, seen through the cornea.
    vec3 bent = refract(along, cornea, 0.75);
    float depth = max(dot(n, eye_axis) - cos(iris), 0.0) / max(-dot(bent, eye_axis), 0.2);
    vec3 q = n + depth * bent;
    vec3 radial = q - dot(q, eye_axis) * eye_axis;
    float r = length(radial) / sin(iris);
    vec3 side = normalize(cross(head_up, eye_axis));
    vec2 around = vec2(dot(radial, side), dot(radial, cross(eye_axis, side))) / max(length(radial), 1e-4);
    vec3 base = mix(white, iris_at(r, around, px / sin(iris)), in_iris);
    vec3 bowl = normalize(mix(n, eye_axis - 0.5 * radial / sin(iris), in_iris));

    // The pink corner and the rim of the lower lid.
    float pink = 1.0 - smoothstep(0.1, 0.3, length((e - inner_corner) * vec2(1.0, 1.2)));
    pink = max(pink, 0.7 * (1.0 - smoothstep(0.0, 0.07, above_lower)));
    base = mix(base, mix(vec3(0.5, 0.2, 0.18), base, 0.25), pink);

    float shade = mix(0.3, 1.0, smoothstep(-0.05, 0.3, below_upper)) * mix(0.7, 1.0, smoothstep(-0.02, 0.14, above_lower));
    vec3 lit = base * diffuse(world, bowl, vec3(0.25, 0.15, 0.12), 0.75) * shade;

    // What the tears mirror.
    vec3 mirror = normalize(mix(n, cornea, in_iris));
    mirror = normalize(mix(mirror, head_up, 0.5 * (1.0 - smoothstep(0.0, 0.08, above_lower))));
    vec3 to = reflect(along, mirror);
    float fresnel = 0.025 + 0.6 * pow(1.0 - clamp(-dot(along, mirror), 0.0, 1.0), 5.0);
    vec3 mirrored = 0.8 * ambient(to);
    for (int k = 0; k < 3; k++) {
        vec3 lamp = lamp_direction[k], across = normalize(cross(vec3(0.02, 1.0, 0.03), lamp));
        vec2 at = abs(vec2(dot(to, across), dot(to, cross(lamp, across))));
        float size = 0.11 + 0.24 * lamp_softness[k] + 1.5 * px;
        float off = mix(length(at), max(at.x, 0.85 * at.y), step(0.4, lamp_softness[k]));
        mirrored += lamp_colour[k] * (1.0 - smoothstep(0.75 * size, size, off)) * step(0.0, dot(to, lamp)) * min(1.3 / (size * size), 45.0);
    }
    mirrored *= fresnel * smoothstep(-0.02, 0.12, below_upper);
    colour = vec4(lit + mirrored, 1.0);
}
