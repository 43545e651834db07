// A mesh as the camera sees it; `place` is in dm.
uniform vec3 centre;
uniform vec2 middle; // of the view, -1..1
uniform vec2 scale; // of a decimetre, in units of the view
uniform float away; // dm from the camera to the centre

in vec3 place;
in vec3 normal;
in vec3 rest; // the same vertex on the template
in vec4 marks; // see the stage's `_marks` for the body's, the piece's text for others
in vec3 before; // where the vertex was in another picture: px, depth 0..1

out vec3 world;
out vec3 facing;
out vec3 on_template;
out vec4 marked;
out vec3 was;

void main() {
    vec3 p = place - centre;
    float w = (away - p.z) / away;
    gl_Position = vec4(middle * w + scale * p.xy, -p.z / 20.0 * w, w);
    world = place;
    facing = normal;
    on_template = rest;
    marked = marks;
    was = before;
}
