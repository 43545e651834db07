// A surface with the light that its pixels were found to have. A sample at an edge, whose pixel shows another
// surface, takes the light of the nearest place of its own around it.
uniform float number;
uniform float pixel; // dm
uniform sampler2D places;
uniform sampler2D light;

in vec3 world;
out vec4 colour;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy), best = at;
    vec4 place = texelFetch(places, at, 0);
    if (abs(place.w) != number || distance(place.xyz, world) > 2.0 * pixel) {
        float least = 1e9;
        for (int k = 0; k < 9; k++) {
            ivec2 beside = at + ivec2(k % 3, k / 3) - 1;
            place = texelFetch(places, beside, 0);
            float far = abs(place.w) == number ? distance(place.xyz, world) : 1e9;
            if (far < least) {
                least = far;
                best = beside;
            }
        }
        if (least > 1e8) discard;
    }
    colour = texelFetch(light, best, 0);
}
