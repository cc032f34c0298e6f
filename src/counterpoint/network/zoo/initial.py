"""Seeded weights that keep activations at one scale, and images apart, down to the last layer.

No trained weights come with the zoo, so each kernel is drawn at random. Two things go wrong with
plain ``N(0, 2 / fan_in)`` (He et al., "Delving Deep into Rectifiers", ICCV 2015, eq. 10):

* The scale holds through convolutions and ReLUs only; pooling, residual sums and concatenations
  move it. The builders therefore carry the expected mean and variance of every tensor along.
* Activations behind a ReLU have a positive mean. Kernels turn it into an offset of each channel
  that is the same for every image and soon outweighs what the image brought: all images then
  fall into one class. Kernels are therefore drawn without a response to that mean, as by weight
  standardisation (Qiao et al., arXiv 1903.10520), or, where a kernel has one input channel and
  its response is all there is, the bias or batch normalisation takes the offset away.

What is left is ``Var[w] = 1 / (fan_in * Var[x])``.
"""

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

_BATCHNORM_EPSILON = 1e-5
"""Caffe's and PyTorch's default. Darknet adds 1e-6 to the deviation instead, which ONNX can't say
and which makes a relative difference of 1e-5 at most here."""

LEAST_VARIANCE = 1e-12
"""Below it a tensor counts as one without variance: a stranger's network may come to that."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Expected mean and variance of a tensor's elements, taken as Gaussian.

    An estimate that scales the next kernel and centres its output; nothing else depends on it.
    """

    mean: float
    variance: float

    @property
    def mean_square(self) -> float:
        """``E[x^2]``."""
        return self.mean**2 + self.variance

    def rectified(self, slope: float = 0.0) -> "Moments":
        """Moments behind ``x if x > 0 else slope * x`` (slope 0: ReLU), exact for a Gaussian.

        Where that leaves no variance to speak of, or is no number, they stay as they are.
        """
        if not self.variance > LEAST_VARIANCE:
            return self
        deviation = math.sqrt(self.variance)
        ratio = self.mean / deviation
        density = math.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
        above = math.erfc(-ratio / math.sqrt(2)) / 2
        positive_mean = self.mean * above + deviation * density
        positive_square = self.mean_square * above + self.mean * deviation * density
        negative_mean = self.mean - positive_mean
        negative_square = self.mean_square - positive_square
        mean = positive_mean + slope * negative_mean
        variance = positive_square + slope**2 * negative_square - mean**2
        return Moments(mean, variance) if variance > 1e-6 * self.variance else self

    def max_pooled(self) -> "Moments":
        """Moments behind a 2x2 or 3x3 maximum.

        The mean rises by nothing where neighbours are equal and by 1.03 deviations for the
        largest of four independent Gaussians; images lie between, so half of that is taken.
        """
        return Moments(self.mean + 0.5 * math.sqrt(self.variance), self.variance)

    def averaged(self) -> "Moments":
        """Moments behind a global average, where a quarter of the variance is taken to be left.

        Channels differ in their mean and neighbouring positions agree, so far more is left than
        the ``1 / positions`` of independent values.
        """
        return Moments(self.mean, self.variance / 4)


UNIT = Moments(mean=0.0, variance=1.0)
"""Moments of a normalised input image, and of every convolution's output by construction."""


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Inference-time batch normalisation of ``channels`` channels.

    Each array is float32 of shape ``(channels,)``:
    ``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta``
    (Ioffe and Szegedy, "Batch Normalization", ICML 2015, algorithm 2).
    """

    gamma: Float32
    beta: Float32
    mean: Float32
    variance: Float32
    epsilon: float = _BATCHNORM_EPSILON

    def folded_into(self, kernel: Float32) -> tuple[Float32, Float32]:
        """The kernel ``(out, in, kh, kw)`` and bias of the one convolution that does both."""
        scale = self.gamma / np.sqrt(self.variance.astype(np.float64) + self.epsilon)
        bias = self.beta - self.mean * scale
        # The kernel itself stays float32: YOLOv2's largest would take 226 MB more in float64.
        folded = kernel * scale.astype(np.float32).reshape(-1, 1, 1, 1)
        return folded, bias.astype(np.float32)


@dataclass(frozen=True, slots=True)
class SeededWeights:
    """Draws each parameter from its own stream, so neither order nor folding changes a value.

    Attributes:
        seed: Non-negative; the same seed and parameter name give the same bits.
    """

    seed: int

    def kernel(self, name: str, shape: tuple[int, ...], source: Moments, gain: float) -> Float32:
        """A kernel ``(out, in, ...)`` whose output has deviation ``gain``; ``in`` is per group.

        With several input channels of a mean that isn't 0, each tap's weights sum to 0.
        """
        kernel = self._stream(name).standard_normal(shape, dtype=np.float32)
        if shape[1] > 1 and source.mean != 0:
            kernel -= kernel.mean(axis=1, keepdims=True)
        fan_in = math.prod(shape[1:])
        # In place: the largest kernel here is VGG16's fc6 with 411 MB.
        variance = source.variance if source.variance > LEAST_VARIANCE else 1.0
        kernel *= np.float32(gain / math.sqrt(fan_in * variance))
        return kernel

    def bias(self, name: str, kernel: Float32, source: Moments) -> Float32:
        """A bias ``(out,)``: a tenth of the unit deviation, less the output's expected mean."""
        mean = _expected_mean(kernel, source)
        noise = self._stream(name).normal(0.0, 0.1, len(kernel))
        return (noise - mean).astype(np.float32)

    def batchnorm(self, name: str, kernel: Float32, source: Moments, gain: float) -> BatchNorm:
        """Statistics of what ``kernel`` makes of ``source``; the output's deviation is ``gain``."""
        stream = self._stream(name)
        channels = len(kernel)
        noise = stream.normal(0.0, 0.1, channels)
        return BatchNorm(
            gamma=(gain * stream.uniform(0.8, 1.2, channels)).astype(np.float32),
            beta=(gain * stream.normal(0.0, 0.1, channels)).astype(np.float32),
            mean=(_expected_mean(kernel, source) + noise).astype(np.float32),
            variance=stream.uniform(0.8, 1.25, channels).astype(np.float32),
        )

    def _stream(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])


def _expected_mean(kernel: Float32, source: Moments) -> NDArray[np.float64]:
    response: NDArray[np.float64] = kernel.sum(axis=tuple(range(1, kernel.ndim)), dtype=np.float64)
    return response * source.mean
