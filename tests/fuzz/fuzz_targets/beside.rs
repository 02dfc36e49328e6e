#![no_main]

nn_fuzz::fuzz!(beside);
