// Folds of the skin on the template: how deep each pixel lies in one, 0..1.
// Forehead, frown, crow's feet, nasolabial fold, below the eye, corner of the mouth, above the lip, neck;
// x of each is the strength at the viewer's left, y at the right.
uniform vec2 folds[8];

float crease(float from_middle, float half_width) {
    float d = from_middle / half_width;
    return exp(-d * d);
}

float within(float low, float high, float edge, float x) {
    return smoothstep(low, low + edge, x) * (1.0 - smoothstep(high - edge, high, x));
}

// t: place on the template; px: dm that a pixel covers there; wander: noise -1..1 that varies over about a finger.
float folded(vec3 t, float px, float wander) {
    vec2 m = vec2(abs(t.x), t.y);
    float side = smoothstep(-0.06, 0.06, t.x);
    float thin = max(0.011 + 0.003 * wander, 0.7 * px), share = 0.011 / thin;
    float sum = 0.0;

    float strength = mix(folds[0].x, folds[0].y, side);
    if (strength > 0.02 && within(7.5, 7.9, 0.05, m.y) > 0.0) {
        float row = (m.y - 7.535 - 0.025 * wander + 0.14 * m.x * m.x) / 0.078;
        float broken = smoothstep(0.25, 0.5, noise(vec3(t.x * 5.0, floor(row) * 3.7, 9.0)) + 0.5 * strength - 0.35 * m.x);
        sum += strength * broken * share * crease((fract(row) - 0.5) * 0.078, thin) * within(7.52, 7.87, 0.06, m.y) * (1.0 - smoothstep(0.28, 0.5, m.x));
    }
    strength = mix(folds[1].x, folds[1].y, side);
    float frown = m.x - 0.065 - 0.15 * (m.y - 7.4) - 0.012 * wander;
    sum += 0.6 * strength * share * crease(frown, 1.3 * thin) * within(7.36, 7.58, 0.07, m.y);
    sum += 0.6 * strength * crease(m.y - 7.31, 0.014) * (1.0 - smoothstep(0.05, 0.11, m.x));

    strength = mix(folds[2].x, folds[2].y, side);
    vec2 v = m - vec2(0.405, 7.285);
    float r = length(v), a = atan(v.y, max(v.x, 1e-4));
    if (strength > 0.02 && r < 0.3 && v.x > 0.0) {
        float fan = a * 3.3 + 0.3 * wander + 0.4;
        sum += strength * share * crease((fract(fan) - 0.5) / 3.3 * r, thin) * within(0.05, 0.22, 0.06, r) * (1.0 - smoothstep(0.55, 1.0, abs(a)));
    }
    strength = mix(folds[3].x, folds[3].y, side);
    float s = (6.93 - m.y) / 0.36;
    float fold = m.x - 0.165 - 0.16 * pow(clamp(s, 0.0, 1.0), 0.8) - 0.008 * wander;
    sum += 0.8 * strength * crease(fold, mix(0.016, 0.03, s)) * within(0.0, 1.0, 0.25, s);

    strength = mix(folds[4].x, folds[4].y, side);
    v = (m - vec2(0.3, 7.3)) / vec2(0.19, 0.125);
    r = length(v);
    float below = smoothstep(0.0, -0.5, v.y + 0.3 * v.x);
    sum += strength * below * share * (0.8 * crease((r - 1.0) * 0.125, thin) + 0.6 * crease((r - 1.4 + 0.2 * v.x) * 0.125, 1.4 * thin));

    strength = mix(folds[5].x, folds[5].y, side);
    s = (6.6 - m.y) / 0.24;
    sum += strength * crease(m.x - 0.268 - 0.05 * s - 0.008 * wander, 0.016) * within(0.0, 1.0, 0.4, s);

    strength = mix(folds[6].x, folds[6].y, side);
    float column = t.x * 17.0 * (1.0 - 0.5 * (m.y - 6.7)) + 0.35 * wander;
    sum += 0.8 * strength * share * crease((fract(column) - 0.5) / 17.0, thin) * within(6.68, 6.82, 0.05, m.y) * (1.0 - smoothstep(0.12, 0.24, m.x));

    strength = folds[7].x;
    if (strength > 0.02 && m.y < 6.1) {
        float ring = m.y / 0.2 + 0.25 * wander + 0.3 * t.x * t.x;
        sum += 0.9 * strength * crease((fract(ring) - 0.5) * 0.2, 0.016) * within(5.2, 6.05, 0.15, m.y) * (1.0 - smoothstep(0.35, 0.6, m.x));
    }
    return sum;
}
