// What the surface in this pixel is; gather() comes first in main().
uniform float pixel; // dm
uniform sampler2D places; // and the number of the thing, negative where one sees its back
uniform sampler2D facings;
uniform sampler2D templates;
uniform sampler2D marks_there;

vec3 world;
vec3 facing;
vec3 on_template;
vec4 marked;
bool front;
bool beside; // whether the pixels that derivatives are taken from show the same surface

void gather() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec4 place = texelFetch(places, at, 0);
    world = place.xyz;
    front = place.w > 0.0;
    beside = fwidth(place.w) == 0.0 && length(fwidth(world)) < 8.0 * pixel;
    facing = texelFetch(facings, at, 0).xyz;
    on_template = texelFetch(templates, at, 0).xyz;
    marked = texelFetch(marks_there, at, 0);
}
