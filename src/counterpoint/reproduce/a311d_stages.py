"""Stage times of seven CNNs on a Khadas VIM3 (Amlogic A311D), as published.

Source: Ehsan-aghapour/CO-UP-Profiling, ``Profiling/ParaPipe/Profiling2/Data``: ARM-CL's graph API,
fp32, all clocks at their highest, the mean of two runs. Same group and board as Aghapour et al.,
"CPU-GPU Layer-Switched Low Latency CNN Inference", DSD 2022, but later runs. Milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Run:
    """A whole network, measured.

    Attributes:
        order: The component of each stage: ``B`` 4 x Cortex-A73, ``G`` Mali-G52, ``L`` 2 x A53.
        task_ms: The stages alone.
        total_ms: With loading the image and reading the result.
        slowest_stage_ms: When runs of equal letters are the stages of a pipeline.
    """

    order: str
    task_ms: float
    total_ms: float
    slowest_stage_ms: float

    @property
    def is_switched(self) -> bool:
        """More than one component."""
        return len(set(self.order)) > 1


@dataclass(frozen=True, slots=True)
class Recorded:
    """A network.

    Attributes:
        name: As in the source.
        stage_ms: Time of each stage by itself, by component.
        runs: Whole networks; empty where none was published.
        outside_ms: Loading the image and reading the result, by component, where no whole run
            tells it; from the source's ``in`` and ``out`` rows.
    """

    name: str
    stage_ms: Mapping[str, tuple[float, ...]]
    runs: tuple[Run, ...] = ()
    outside_ms: Mapping[str, float] = field(default_factory=dict)

    def whole(self, component: str) -> Run | None:
        """The run on that component alone."""
        alone = component * len(self.stage_ms[component])
        return next((run for run in self.runs if run.order == alone), None)


# fmt: off
RECORDED = (
    Recorded(
        "alexnet",
        stage_ms={
            "B": (
                14.41, 16.523, 5.525, 4.759, 3.519, 38.874, 17.092, 4.339,
            ),
            "G": (
                10.049, 14.952, 9.188, 5.759, 4.472, 35.99, 10.863, 6.775,
            ),
            "L": (
                33.375, 44.753, 16.056, 14.559, 11.394, 60.39, 25.558, 6.283,
            ),
        },
        runs=(
            Run("BBBBBBGB", 101.268, 112.1207, 95.0828),
            Run("GGBBBGGG", 88.7203, 100.844, 48.4004),
            Run("GGBBBGGB", 94.8474, 106.2018, 47.4712),
            Run("BBBBBBBB", 107.542, 118.334, 118.334),
            Run("GGGGGGGG", 92.3314, 104.117, 104.117),
            Run("LLLLLLLL", 214.2863, 244.703, 244.703),
        ),
    ),
    Recorded(
        "mobilenet_v1",
        stage_ms={
            "B": (
                4.24, 8.952, 5.036, 7.399, 3.123, 4.848, 2.347, 3.868, 4.423,
                4.136, 4.231, 4.463, 2.537, 5.827,
            ),
            "G": (
                3.01, 5.709, 4.505, 6.156, 3.325, 4.872, 3.948, 5.921, 5.598,
                6.084, 5.809, 5.854, 3.916, 7.566,
            ),
            "L": (
                8.247, 17.035, 11.27, 17.597, 8.452, 12.719, 6.825, 10.965,
                10.944, 10.845, 10.922, 10.749, 6.114, 13.046,
            ),
        },
        runs=(
            Run("GGGGGGBBBBBBBB", 54.2555, 64.8637, 36.0414),
            Run("BBBBBBBBBBBBBB", 59.1508, 69.5329, 69.5329),
            Run("GGGGGGGGGGGGGG", 67.3044, 78.0611, 78.0611),
            Run("LLLLLLLLLLLLLL", 153.5017, 183.39, 183.39),
        ),
    ),
    Recorded(
        "resnet50_v1",
        stage_ms={
            "B": (
                18.053, 16.966, 15.411, 9.059, 15.868, 11.554, 11.499, 6.611,
                15.162, 11.154, 10.988, 11.112, 11.123, 6.787, 23.702, 18.23,
                18.662, 2.266,
            ),
            "G": (
                13.341, 14.08, 12.857, 8.236, 15.508, 11.335, 11.286, 8.34,
                24.814, 16.697, 16.755, 16.522, 16.911, 9.69, 41.304, 28.87,
                27.695, 2.089,
            ),
            "L": (
                41.765, 43.887, 39.087, 20.295, 42.455, 29.809, 29.933, 17.398,
                47.884, 36.141, 35.829, 36.323, 36.181, 17.229, 50.25, 37.837,
                39.791, 3.625,
            ),
        },
        runs=(
            Run("GGGGGGGBBBBBBBBBBB", 222.9549, 234.8414, 137.758),
            Run("BBBBBBBBBBBBBBBBBB", 245.9253, 256.488, 256.488),
            Run("GGGGGGGGGGGGGGGGGG", 295.7764, 306.959, 306.959),
            Run("LLLLLLLLLLLLLLLLLL", 605.697, 635.425, 635.425),
        ),
    ),
    Recorded(
        "googlenet",
        stage_ms={
            "B": (
                16.853, 19.306, 9.521, 17.969, 5.669, 6.516, 7.065, 7.266, 10.121,
                5.292, 8.281,
            ),
            "G": (
                12.813, 11.116, 6.982, 14.792, 6.17, 7.26, 7.665, 8.187, 11.835,
                5.439, 8.012,
            ),
            "L": (
                44.229, 63.949, 23.072, 47.464, 15.424, 17.309, 22.805, 19.634,
                29.037, 11.195, 16.658,
            ),
        },
        runs=(
            Run("GGGGBBBBBBG", 99.4137, 112.8717, 58.1341),
            Run("GGGGBBBBBBB", 100.2987, 112.6618, 56.7124),
            Run("BBBBBBBBBBB", 128.0314, 139.583, 139.583),
            Run("GGGGGGGGGGG", 100.3327, 112.676, 112.676),
        ),
    ),
    Recorded(
        "inception_v3",
        stage_ms={
            "B": (
                5.78, 15.045, 26.221, 3.261, 22.566, 19.683, 22.035, 23.387,
                23.17, 24.28, 30.195, 30.622, 35.687, 17.262, 21.738, 26.078,
                2.202,
            ),
            "G": (
                4.483, 11.951, 18.183, 3.132, 18.015, 17.632, 19.333, 20.125,
                29.247, 24.691, 32.857, 32.86, 40.942, 21.593, 24.454, 30.454,
                2.038,
            ),
            "L": (
                12.938, 43.139, 92.176, 7.25, 78.525, 56.01, 63.307, 66.332,
                62.651, 69.55, 83.027, 83.218, 96.584, 45.393, 53.074, 69.294,
                3.365,
            ),
        },
        outside_ms={"B": 22.4452, "G": 23.1744, "L": 54.3552},
    ),
    Recorded(
        "inception_v4",
        stage_ms={
            "B": (
                5.402, 15.086, 26.35, 17.731, 52.895, 25.069, 26.265, 26.147,
                25.536, 26.007, 49.739, 49.219, 48.796, 48.455, 48.507, 48.654,
                48.128, 48.728, 26.712, 19.34, 19.382, 19.162, 1.638,
            ),
            "G": (
                4.58, 11.95, 18.722, 20.325, 45.96, 25.857, 20.538, 20.503,
                20.573, 20.535, 61.671, 55.52, 55.647, 55.624, 55.95, 55.83,
                55.906, 56.534, 38.196, 24.898, 24.765, 24.562, 1.815,
            ),
            "L": (
                12.463, 43.376, 92.141, 44.296, 148.235, 73.029, 73.181, 73.288,
                73.328, 73.211, 127.945, 129.037, 134.739, 137.942, 137.756,
                137.684, 130.484, 128.997, 71.929, 53.958, 54.239, 55.413, 2.454,
            ),
        },
        outside_ms={"B": 22.7428, "G": 23.2473, "L": 56.4059},
    ),
    Recorded(
        "inception_resnet_v2",
        stage_ms={
            "B": (
                5.479, 15.105, 26.57, 3.286, 23.596, 20.304, 12.438, 12.543,
                12.514, 12.405, 12.266, 12.355, 12.488, 12.335, 12.444, 12.397,
                57.478, 19.828, 19.296, 19.407, 19.382, 19.29, 19.678, 19.392,
                19.426, 18.799, 19.229, 19.165, 19.486, 19.017, 19.311, 19.306,
                19.743, 19.148, 18.909, 19.34, 19.224, 31.289, 8.916, 8.697,
                8.607, 8.925, 8.879, 8.477, 8.684, 8.842, 8.818, 8.509, 11.803,
                1.638,
            ),
            "G": (
                4.402, 11.889, 18.628, 3.216, 18.192, 18.914, 10.765, 10.839,
                10.825, 10.789, 10.676, 10.732, 10.745, 10.712, 10.717, 10.732,
                78.121, 33.59, 32.475, 33.586, 33.979, 33.685, 34.008, 33.659,
                33.304, 33.874, 33.374, 33.771, 33.783, 33.858, 33.816, 33.844,
                33.454, 33.613, 33.801, 33.648, 33.472, 40.789, 14.421, 14.323,
                14.333, 14.278, 14.358, 14.344, 14.273, 14.316, 14.231, 13.99,
                28.452, 1.829,
            ),
            "L": (
                12.544, 44.479, 93.257, 7.201, 78.79, 58.829, 30.693, 30.763,
                30.829, 30.78, 30.788, 30.773, 30.808, 30.768, 30.786, 30.836,
                154.291, 52.06, 50.033, 50.041, 50.147, 50.107, 51.837, 51.589,
                52.501, 51.917, 52.245, 51.597, 50.012, 50.043, 50.096, 52.225,
                51.472, 50.726, 50.09, 50.689, 51.747, 84.619, 22.236, 22.289,
                22.335, 22.352, 22.369, 22.38, 22.34, 22.376, 22.329, 21.84,
                32.272, 2.453,
            ),
        },
        outside_ms={"B": 22.9473, "G": 23.2456, "L": 56.8767},
    ),
)
# fmt: on
"""Three networks of the seven were not measured as a whole."""

BORDER_ITEMS: Mapping[str, tuple[int, ...]] = {
    "alexnet": (69984, 43264, 64896, 64896, 9216, 4096, 4096),
    "mobilenet_v1": (401408, 802816, 401408, 401408, 200704, 200704, *(100352,) * 6, 50176),
    "resnet50_v1": (
        *(200704, 802816, 802816, 200704, *(401408,) * 3, 100352),
        *(*(200704,) * 5, 50176, *(100352,) * 3),
    ),
    "googlenet": (
        *(200704, 150528, 200704, 94080, *(100352,) * 3),
        *(103488, 40768, 40768),
    ),
}
"""Float32 items between one stage and the next: from the networks' published shapes, pools at the
end of their stage, and strides of ResNet-50 at the end of a block as in TF-slim's networks, from
which ARM-CL's graphs come."""
