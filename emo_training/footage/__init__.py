"""Raw footage -> samples with everything training needs, in WebDataset shards."""
