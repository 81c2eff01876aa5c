"""How the weights of the classifier are learnt and judged: ``make train`` and ``make eval``; no part of the product."""
