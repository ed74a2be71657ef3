//! Folders whose matrices lie packed: `X.weight` is stored as codes, scales and more, each in a tensor of its own. Here the
//! parts are found and held against each other, so that everything above asks for `X.weight` of shape `[out, in]`.
//!
//! What is packed is decided by the tensors; `quantization_config` says how to read them, and both must agree.

mod compressed;
mod gemma;

use super::checkpoint::Shards;
use super::safetensors::shorten;
use super::tensor::Beside;
use super::{Dtype, Fields, Format, Ints, Rounding, Tensor};
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

/// `quant_method`s that are read.
const METHODS: [&str; 2] = ["compressed-tensors", "gemma"];

/// The packed matrices of a folder.
#[derive(Debug, Default)]
pub(super) struct Packed {
    matrices: Vec<PackedMatrix>,
    /// By the name that is asked for.
    names: HashMap<String, usize>,
    /// By the name of the codes.
    codes: HashMap<String, usize>,
    /// Tensors that are parts of a matrix, or known and of no consequence.
    hidden: HashSet<String>,
}

/// Where the parts of a matrix lie.
#[derive(Debug)]
struct PackedMatrix {
    name: String,
    codes: String,
    scales: String,
    zero_points: Option<String>,
    ints: Ints,
    signed: bool,
    rounding: Rounding,
    /// Rows and columns; where only whole bytes of codes are known, the most columns that they can hold.
    shape: [usize; 2],
    /// The columns may be fewer.
    is_open: bool,
    /// What the family says of them.
    told: OnceLock<[usize; 2]>,
}

impl Packed {
    /// Reads `quantization_config`, if there is one, and finds the parts among the stored tensors.
    ///
    /// # Errors
    /// [`Error::Config`] naming what is not supported, [`Error::Tensors`] naming the first part that is missing or does not
    /// fit the others.
    pub(super) fn read(config: &Fields, shards: &Shards) -> Result<Option<Packed>> {
        let Some(fields) = config.optional_object("quantization_config")? else { return Ok(None) };
        match fields.one_of("quant_method", &METHODS)? {
            0 => compressed::read(&fields, shards),
            _ => gemma::read(&fields, shards),
        }
        .map(Some)
    }

    fn add(&mut self, matrix: PackedMatrix) {
        self.hidden.extend([&matrix.scales].into_iter().chain(&matrix.zero_points).cloned());
        self.names.insert(matrix.name.clone(), self.matrices.len());
        self.codes.insert(matrix.codes.clone(), self.matrices.len());
        self.matrices.push(matrix);
    }

    /// The tensor of that name as the family asks for it.
    pub(super) fn tensor<'a>(&'a self, name: &str, shards: &'a Shards) -> Option<Tensor<'a>> {
        match self.names.get(name) {
            Some(place) => self.matrices[*place].tensor(shards),
            None if self.hidden.contains(name) || self.codes.contains_key(name) => None,
            None => shards.tensor(name),
        }
    }

    /// What a stored tensor is for those above: itself, a matrix if it holds the codes of one, or nothing.
    pub(super) fn seen<'a>(&'a self, stored: Tensor<'a>, shards: &'a Shards) -> Option<Tensor<'a>> {
        match self.codes.get(stored.name) {
            Some(place) => self.matrices[*place].tensor(shards),
            None if self.hidden.contains(stored.name) => None,
            None => Some(stored),
        }
    }

    /// Takes the shape that a family expects where the file leaves the columns open; whether it can be that.
    pub(super) fn tell(&self, name: &str, shape: &[usize]) -> bool {
        let Some(matrix) = self.names.get(name).map(|place| &self.matrices[*place]) else { return false };
        let [rows, width] = *shape else { return false };
        let bytes = |width: usize| width.saturating_mul(matrix.ints.bits as usize).div_ceil(8);
        matrix.is_open
            && rows == matrix.shape[0]
            && bytes(width) == bytes(matrix.shape[1])
            && *matrix.told.get_or_init(|| [rows, width]) == [rows, width]
    }
}

impl PackedMatrix {
    fn tensor<'a>(&'a self, shards: &'a Shards) -> Option<Tensor<'a>> {
        let (codes, scales) = (shards.tensor(&self.codes)?, shards.tensor(&self.scales)?);
        let zero_points = self.zero_points.as_ref().and_then(|name| shards.tensor(name));
        let beside = Beside {
            scales_name: &self.scales,
            scales: scales.data,
            zero_points: zero_points.map_or(&[], |tensor| tensor.data),
            signed: self.signed,
            rounding: self.rounding,
        };
        Some(Tensor {
            name: &self.name,
            dtype: Dtype::Block(Format::Ints(self.ints)),
            shape: self.told.get().unwrap_or(&self.shape),
            beside: Some(beside),
            ..codes
        })
    }
}

/// An error about a tensor: "tensor X.weight_scale is missing".
fn wrong(shards: &Shards, name: &str, problem: impl AsRef<str>) -> Error {
    let problem = format!("tensor {} {}", shorten(name), problem.as_ref());
    Error::Tensors { path: shards.folder.clone(), problem }
}

/// The tensor of that name, which belongs to another one.
fn part<'a>(shards: &'a Shards, name: &str, of: &str) -> Result<Tensor<'a>> {
    let missing = || wrong(shards, name, format!("is missing, which {} needs; use another copy", shorten(of)));
    shards.tensor(name).ok_or_else(missing)
}

/// "is I32 of shape [2, 3], expected …".
fn found(tensor: &Tensor<'_>, expected: impl AsRef<str>) -> String {
    format!("is {} of shape {:?}, expected {}", tensor.dtype, tensor.shape, expected.as_ref())
}

/// How many weights may share a scale: those that a loader finds by a shift.
fn is_group_size(size: usize) -> bool {
    size >= 32 && size.is_power_of_two()
}
