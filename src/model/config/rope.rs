//! Rotary position embeddings: how fast each pair of a head turns.

/// The rotary embedding of some layers (Su et al., 2021).
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Its base: pair `i` of a head turns by `theta^(-2i / head_dim)` radians a position.
    pub theta: f64,
    /// What is done to the frequencies for contexts longer than those first trained on.
    pub scaling: Scaling,
}

/// How the frequencies of a rotary embedding are changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// All divided by a factor (`rope_type: linear`).
    Linear(f64),
    /// Llama 3.1's: slow ones divided by `factor`, fast ones kept, those between blended
    /// (`rope_type: llama3`).
    Llama3 {
        /// What wavelengths above `original / low` are divided by.
        factor: f64,
        /// The lower bound in turns within the original context.
        low: f64,
        /// The upper bound; wavelengths below `original / high` are kept.
        high: f64,
        /// The context first trained on, in positions.
        original: f64,
    },
    /// Each divided by a number of its own (`rope_freqs.weight` of a GGUF file), `head_dim / 2` of
    /// them.
    Divided(Vec<f32>),
}

impl Rope {
    /// Without scaling.
    pub fn plain(theta: f64) -> Self {
        Self { theta, scaling: Scaling::None }
    }

    /// Radians a position of each pair of a head of width `dim`: `dim / 2` of them.
    pub fn frequencies(&self, dim: usize) -> Vec<f64> {
        let plain = |i: usize| self.theta.powf(-2.0 * i as f64 / dim as f64);
        (0..dim / 2).map(|i| self.scaling.of(i, plain(i))).collect()
    }

    /// Cosine and sine at each position: `dim / 2` pairs for each.
    pub fn angles(&self, dim: usize, positions: &[u32]) -> Vec<(f32, f32)> {
        let frequencies = self.frequencies(dim);
        let angle = |position: &u32| {
            let position = f64::from(*position);
            let turns = frequencies.iter().map(move |f| (position * f).sin_cos());
            turns.map(|(sin, cos)| (cos as f32, sin as f32)).collect::<Vec<_>>()
        };
        positions.iter().flat_map(angle).collect()
    }
}

impl Scaling {
    /// The frequency of pair `i`, which is `plain` without scaling.
    fn of(&self, i: usize, plain: f64) -> f64 {
        match self {
            Self::None => plain,
            Self::Linear(factor) => plain / factor,
            Self::Divided(factors) => plain / f64::from(factors[i]),
            Self::Llama3 { factor, low, high, original } => {
                let wavelength = std::f64::consts::TAU / plain;
                let kept = ((original / wavelength - low) / (high - low)).clamp(0.0, 1.0);
                plain * (kept + (1.0 - kept) / factor)
            }
        }
    }
}
