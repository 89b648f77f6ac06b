// The workers that the page starts ahead. The machine made of nothing has no use for them.
