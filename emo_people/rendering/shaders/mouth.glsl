// Where a place within the mouth is seen between the lips.
uniform vec3 mouth_place; // the middle between the corners
uniform vec3 head_right;
uniform vec3 head_up;
uniform float mouth_reach; // dm to a corner
uniform float upper_line[9]; // of the lips, dm above the middle, at equal steps from the viewer's left corner
uniform float lower_line[9];
uniform vec2 lips_forward; // dm of the lips before the corners: the middle's, the corners'

// x: -1 at the left corner .. 1 at the right one; y: dm below the upper lip; z: above the lower one.
vec3 between_lips(vec3 place) {
    vec3 ahead = cross(head_right, head_up), towards = normalize(camera - place), p = place - mouth_place;
    float u = dot(p, head_right) / mouth_reach;
    float forward = mix(lips_forward.x, lips_forward.y, clamp(u * u, 0.0, 1.0));
    p += towards * (forward - dot(p, ahead)) / max(dot(towards, ahead), 0.3);
    vec2 at = vec2(dot(p, head_right), dot(p, head_up));
    u = at.x / mouth_reach;
    float step_at = clamp(4.0 * u + 4.0, 0.0, 7.999);
    int k = int(step_at);
    float upper = mix(upper_line[k], upper_line[k + 1], step_at - float(k));
    float lower = mix(lower_line[k], lower_line[k + 1], step_at - float(k));
    return vec3(u, upper - at.y, at.y - lower);
}

// The share of the light that falls in there, for a place `inward` dm behind the lips.
float reaching(vec3 gap, float inward) {
    float open = clamp(gap.y + gap.z, 0.0, 0.6);
    float deep = open / (open + 0.45 * inward + 0.02);
    float sides = 1.0 - 0.85 * smoothstep(0.35, 1.0, abs(gap.x));
    return deep * sides * mix(0.3, 1.0, smoothstep(-0.01, 0.06, gap.y)) * mix(0.55, 1.0, smoothstep(-0.01, 0.04, gap.z));
}
