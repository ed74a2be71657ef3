//! Linear layers of both encoders whose inputs and outputs may be kept within bounds (`Gemma4ClippableLinear` of
//! `modeling_gemma4.py`, transformers 5.23): `clamp(W · clamp(x))`.

use crate::error::Result;
use crate::kernels::{Bounds, Matrix};
use crate::models::gemma::Names;
use crate::weights::Upload;

/// The numbers beside the weight.
const BOUNDS: [&str; 4] = ["input_min", "input_max", "output_min", "output_max"];

/// Such a layer's weight and bounds.
#[derive(Debug)]
pub(super) struct Clipped {
    pub(super) weight: Matrix,
    pub(super) input: Bounds,
    pub(super) output: Bounds,
}

impl Clipped {
    /// Names the layer's tensors with their shapes; those of bounds only if it is `clipped`.
    pub(super) fn tensors(
        name: &str,
        shape: [usize; 2],
        clipped: bool,
        names: Names,
        add: &mut dyn FnMut(String, &[usize]),
    ) {
        add(format!("{name}.linear.weight"), &shape);
        for bound in BOUNDS.iter().filter(|_| clipped) {
            add(format!("{name}.{bound}"), names.scalar());
        }
    }

    /// Uploads them; `name` gives the checkpoint's name of a part.
    ///
    /// # Errors
    /// As [`Upload::matrix`].
    pub(super) fn load(upload: &Upload<'_>, clipped: bool, name: &dyn Fn(&str) -> String) -> Result<Clipped> {
        let bound = |place: usize, none: f32| match clipped {
            true => Ok(upload.bound(&name(BOUNDS[place]))?.unwrap_or(none)),
            false => Ok(none),
        };
        let both = |place: usize| -> Result<Bounds> {
            let (low, high) = (bound(place, Bounds::NONE.low)?, bound(place + 1, Bounds::NONE.high)?);
            // Bounds in the wrong order leave the upper one, as in the reference.
            Ok(Bounds { low: low.min(high), high })
        };
        Ok(Clipped { weight: upload.matrix(&[&name("linear.weight")])?, input: both(0)?, output: both(2)? })
    }
}
