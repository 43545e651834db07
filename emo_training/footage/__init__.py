"""Raw footage -> clips with everything training needs, in WebDataset shards."""
