"""What a risk team looks at: reports, monitoring, compliance, notices. It reads runs and books; it decides nothing and changes none of them."""
