"""Alert to people: route, render, deliver, retry, park."""
