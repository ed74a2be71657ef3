// f16 as it is. One plane: the weights (4 words a group).
//include shared/load_f16.wgsl
//include shared/halves.wgsl
