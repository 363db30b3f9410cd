#![doc = include_str!("../README.md")]

pub mod crash;
pub mod seed;
pub mod shop;
pub mod workload;
