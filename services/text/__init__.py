"""What several services share about text, pure: ids, times, URLs, cleaning, fingerprints, quotations."""
