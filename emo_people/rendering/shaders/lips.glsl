// How far within the outline of the lips a place of the template lies, dm; below 0 outside.
float within_lips(vec3 t) {
    float m = abs(t.x);
    float high = 6.683 + m * (0.859 + m * (-5.368 + m * 3.232)), low = 6.527 + m * (0.045 + m * (-0.046 + m * 4.546));
    return t.z > 1.33 && m < 0.27 ? min(high - t.y, t.y - low) : -1.0;
}
