"""Head poses over time: rotation matrices, the head's speed (EMO sec. 3.2), and what noise hides of it.

Angles are in degrees as a viewer sees them: positive yaw turns the nose right, positive pitch down, positive
roll turns the head clockwise; the head yaws first, then pitches, then rolls. `rotation_matrices` holds the
inverse of that in right-handed axes, yaw * pitch * roll, which has the same angles between any two poses.
"""

import math

import numpy as np

FASTEST = 5.0  # Hz: heads hardly move faster, so that all above is the tracker's noise
NOISE_BAND = (3.0, 6.0)  # Hz: where the noise is measured, since it is mostly noise there
SLOWEST = 0.3  # Hz: below, the noise is taken as white
SHORTEST = 0.5  # seconds
LONE_BIN_MEDIAN = 0.455  # median of a chi square variable of one degree of freedom, whose mean is 1


def rotation_matrices(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """yaw (about y) * pitch (about x) * roll (about z), (T, 3, 3), of angles (T,) in degrees."""
    (cy, cp, cr), (sy, sp, sr) = (f(np.radians(np.stack([yaw, pitch, roll]))) for f in (np.cos, np.sin))
    rows = [
        [cy * cr + sy * sp * sr, sy * sp * cr - cy * sr, sy * cp],
        [cp * sr, cp * cr, -sp],
        [cy * sp * sr - sy * cr, sy * sr + cy * sp * cr, cy * cp],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def rotation_angles(matrices: np.ndarray) -> np.ndarray:
    """Yaw, pitch, roll (T, 3) in degrees of rotation matrices (T, 3, 3): undoes `rotation_matrices`.

    Pitch lies within -90..90.
    """
    yaw = np.arctan2(matrices[:, 0, 2], matrices[:, 2, 2])
    pitch = np.arcsin(np.clip(-matrices[:, 1, 2], -1, 1))
    roll = np.arctan2(matrices[:, 1, 0], matrices[:, 1, 1])
    return np.degrees(np.stack([yaw, pitch, roll], 1))


def transform_angles(transforms: np.ndarray) -> np.ndarray:
    """Yaw, pitch, roll (T, 3) in degrees of MediaPipe's facial transformation matrices (T, 4, 4).

    They take the canonical face, in centimetres, to the camera's axes x right, y up, z towards the viewer. A
    scale in them is removed; NaN stays NaN.
    """
    angles = np.full((len(transforms), 3), np.nan)
    known = np.isfinite(transforms).all(axis=(1, 2))
    left, _, right = np.linalg.svd(transforms[known, :3, :3])
    # The inverse, seen from behind: see the module's text on what rotation_matrices holds.
    behind = np.array([1.0, 1.0, -1.0])
    angles[known] = rotation_angles(np.swapaxes(left @ right, 1, 2) * behind * behind[:, None])
    return angles


def head_speed(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray, fps: float) -> np.ndarray:
    """Rotation angle between successive frames (T,) in degrees per second (EMO sec. 3.2).

    Poses (T,) are in degrees, rotation = yaw * pitch * roll; the first frame repeats the second's speed.
    """
    rotations = rotation_matrices(yaw, pitch, roll)
    if len(rotations) < 2:
        return np.zeros(len(rotations))
    # The chord between two rotations is exact for small angles, where the trace formula loses all digits.
    chord = np.sqrt(((rotations[1:] - rotations[:-1]) ** 2).sum(axis=(1, 2)))
    speed = np.degrees(2 * np.arcsin(np.minimum(chord / math.sqrt(8), 1))) * fps
    return np.concatenate([speed[:1], speed])


def estimate_speed(rotations: np.ndarray, fps: float) -> np.ndarray:
    """Head speed (T,) in degrees per second of a tracker's noisy yaw, pitch, roll (T, 3): footage's label.

    It is NaN where the pose is unknown, and between two frames one of which is.
    """
    yaw, pitch, roll = smooth_poses(rotations, fps).T
    return head_speed(yaw, pitch, roll, fps)


def smooth_poses(rotations: np.ndarray, fps: float) -> np.ndarray:
    """Yaw, pitch, roll (T, 3) without the tracker's noise, by a Wiener filter for this video and each angle.

    Trackers err with the face: mouth, brows and lids leak into the pose, the more the slower they move. So
    the noise's power is taken as falling with the frequency, at the level that the spectrum has from 3 to
    6 Hz, where heads hardly move. Unknown poses (NaN) are bridged for the filter and stay unknown; videos of
    less than half a second stay as they are.
    """
    rotations = np.asarray(rotations, float)
    known = np.isfinite(rotations).all(axis=1)
    smooth = np.full(rotations.shape, np.nan)
    if known.any():
        times = np.arange(len(rotations))
        bridged = np.stack([np.interp(times, times[known], angle[known]) for angle in rotations.T])
        smooth[known] = np.stack([_denoise(angle, fps) for angle in bridged], 1)[known]
    return smooth


def _denoise(curve: np.ndarray, fps: float) -> np.ndarray:
    """The estimate of a curve (T,): the parts of its spectrum that stand out keep their power."""
    from scipy.fft import dct, idct
    from scipy.ndimage import gaussian_filter1d

    count = len(curve)
    if count < SHORTEST * fps:
        return curve
    spectrum = dct(curve, norm="ortho")
    power = spectrum**2
    rates = np.arange(count) * fps / (2 * count)
    low, high = NOISE_BAND
    level = np.median(power[(rates > low) & (rates < high)]) / LONE_BIN_MEDIAN
    noise = level * np.maximum(math.sqrt(low * high) / np.maximum(rates, SLOWEST), 1)
    power[0] = 0.0  # the mean pose says nothing about motion
    around = gaussian_filter1d(power, max(count / 20, 1.0), mode="nearest")
    # The root, since the mean speed counts: Wiener's own gain makes the motion smaller than it was. Twice the
    # noise, since its power in a few bins is often above its mean, which would make still heads tremble.
    gain = np.sqrt(np.maximum(0.0, 1 - 2 * noise / np.maximum(around, 1e-12)))
    gain[rates > FASTEST] = 0.0
    gain[0] = 1.0
    return idct(gain * spectrum, norm="ortho")
