// Plastic or metal.
uniform vec3 piece_colour;
uniform float metal; // 0 or 1
uniform float rough;

in vec3 world;
in vec3 facing;
out vec4 colour;

void main() {
    vec3 n = normalize(facing);
    vec3 view = normalize(camera - world);
    if (dot(n, view) < 0.0) n = -n;
    vec3 sum = piece_colour * (1.0 - 0.8 * metal) * diffuse(world, n, vec3(0.1), 0.9);
    vec3 mirrored = 0.6 * ambient(reflect(-view, n));
    for (int k = 0; k < 3; k++) {
        float aim = max(dot(n, normalize(view + lamp_direction[k])), 0.0);
        mirrored += lamp_colour[k] * (1.2 * pow(aim, mix(90.0, 20.0, lamp_softness[k])) + 0.35 * pow(aim, 8.0) * metal);
    }
    float fresnel = 0.05 + 0.6 * pow(1.0 - clamp(dot(n, view), 0.0, 1.0), 5.0);
    colour = vec4(sum + mirrored * mix(vec3(fresnel), piece_colour, metal), 1.0);
}
