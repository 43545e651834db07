// The number of the thing in each pixel as its depth, so that a test of depths leaves out, before anything is
// shaded, what is not the thing's.
uniform sampler2D places;

void main() { gl_FragDepth = abs(texelFetch(places, ivec2(gl_FragCoord.xy), 0).w) / 256.0; }
