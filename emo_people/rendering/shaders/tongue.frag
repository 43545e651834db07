uniform vec3 tongue_colour;

in vec3 world;
in vec3 facing;
in vec3 on_template;
in vec4 marked;
out vec4 colour;

void main() {
    vec3 gap = between_lips(world), t = on_template;
    vec3 n = normalize(facing);
    float grain = noise(t * 70.0), groove = exp(-t.x * t.x / 0.000324);
    vec3 base = tongue_colour * (0.8 + 0.4 * grain) * (1.0 - 0.25 * groove);
    vec3 ahead = cross(head_right, head_up);
    float inward = lips_forward.x - dot(world - mouth_place, ahead);
    bool hidden = inward > 0.03 && (gap.y < -0.01 || gap.z < -0.012);
    if (gap.y + gap.z < 0.03 || hidden) discard;
    float light = inward < 0.02 ? 1.0 : reaching(gap, inward) * exp(-4.0 * max(1.34 - t.z, 0.0));
    vec3 lit = base * diffuse(world, n, vec3(0.35, 0.15, 0.12), 0.7) * light;
    colour = vec4(lit + 0.8 * gloss(world, normalize(n + 0.25 * (grain - 0.5)), 0.36) * light, 1.0);
}
