// Glass: what it mirrors covers a share of what is behind it.
uniform float reflection;

in vec3 world;
in vec3 facing;
out vec4 colour;

void main() {
    vec3 n = normalize(facing);
    vec3 view = normalize(camera - world);
    vec3 away = reflect(-view, n);
    // A window or a lamp's shade that the glass shows.
    float window = smoothstep(0.0, 0.2, away.y - 0.1) * smoothstep(0.25, 0.1, abs(away.x - 0.5 * lamp_direction[0].x) - 0.12);
    float lamps = 0.0;
    for (int k = 0; k < 3; k++)
        lamps += pow(max(dot(away, lamp_direction[k]), 0.0), mix(160.0, 20.0, lamp_softness[k])) * dot(lamp_colour[k], vec3(0.33));
    float fresnel = 0.04 + 0.5 * pow(1.0 - min(abs(dot(n, view)), 1.0), 4.0);
    float share = reflection * (fresnel * 0.9 + 0.22 * window + 0.5 * clamp(lamps, 0.0, 1.0));
    colour = vec4(0.7 * ambient(away) + 0.8 * vec3(clamp(lamps, 0.0, 1.2)), clamp(share, 0.0, 0.9));
}
