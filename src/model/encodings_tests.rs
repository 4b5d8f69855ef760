use super::*;
use crate::rng::Rng;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

#[test]
fn every_encoding_stands_for_the_values_that_candle_reads() {
    let mut rng = Rng::new(4);
    let values: Vec<f32> =
        (0..4 * 512).map(|i| (rng.unit() as f32 - 0.4) * (1.0 + (i / 300) as f32)).collect();
    let tensor = Tensor::from_vec(values, (4, 512), &Device::Cpu).unwrap();
    for (number, theirs) in [
        (1, GgmlDType::F16),
        (2, GgmlDType::Q4_0),
        (3, GgmlDType::Q4_1),
        (6, GgmlDType::Q5_0),
        (7, GgmlDType::Q5_1),
        (8, GgmlDType::Q8_0),
        (12, GgmlDType::Q4K),
        (13, GgmlDType::Q5K),
        (14, GgmlDType::Q6K),
    ] {
        let quantised = QTensor::quantize(&tensor, theirs).unwrap();
        let want: Vec<f32> =
            quantised.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let encoding = Encoding::of(number).unwrap();
        let (block, bytes) = encoding.block();
        let raw = quantised.data().unwrap();
        assert_eq!(raw.len(), 2048 / block * bytes, "{encoding:?}");
        let mut got = Vec::new();
        encoding.decode(&raw, 512).unwrap().numbers(0..4, &mut got);
        for (got, want) in got.iter().zip(&want) {
            assert!((got - want).abs() <= 1e-6 * want.abs().max(1.0), "{encoding:?} {got} {want}");
        }
    }
}
