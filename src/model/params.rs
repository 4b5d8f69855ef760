//! What weights, gradients and moments are made of.

/// Weights or their gradients: one flat buffer a tensor, in the order of
/// [`super::config::Config::tensors`].
pub type Buffers = Vec<Vec<f32>>;
