"""What a team may still spend: a ledger of grants, charges and refunds."""
