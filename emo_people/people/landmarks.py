"""The 68 points of a face in iBUG's order on the mesh, whose vertices are the same place on everybody's face.

Fitted, since MakeHuman's mesh has no such table: 240 rendered people, turned by up to 25 degrees, mouths and
lids in many positions, were shown to MediaPipe. Of all vertices of the face's skin, a point's is the one that
lay nearest to where MediaPipe saw it (emo_training/perception/mesh_points.py), by the mean square over all
pictures and over both halves of the face, so that the table is symmetric; points in the middle take a vertex
there. The mean distance is 4 % of the inter-ocular distance: 3 % within the face, 7 % along the jaw. Brows
and the nose's bridge were fitted once more, to 211 people who have brows.

Upper and lower points of the inner lips and of the lids are moved from there, by 0.05 dm at most, to a pair
of vertices that meet when the mouth or the eye is shut, so that an opening of nothing is read as nothing.
"""

import numpy as np

# Numbers of vertices (68,) of `mesh.head()`.
LANDMARKS = np.array(
    [
        *(2951, 3449, 2960, 2956, 2954, 915, 3011, 2936, 2885),  # jaw
        *(6281, 6351, 4352, 6298, 6300, 6303, 6781, 6295),
        *(262, 232, 231, 222, 233, 3741, 3731, 3739, 3740, 3766),  # brows
        *(133, 2777, 201, 2848, 286, 313, 317, 3811, 3790),  # nose
        *(2720, 4, 55, 74, 46, 2724, 3593, 3574, 3523, 6073, 6077, 3565),  # eyes
        *(425, 3068, 456, 466, 3950, 6405, 3920, 3968, 3980, 496, 490, 478),  # outer lips
        *(445, 472, 474, 3963, 3940, 3999, 493, 517),  # inner lips
    ]
)  # fmt: skip
