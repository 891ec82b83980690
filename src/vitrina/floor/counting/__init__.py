"""From tracks to crossings, visits, waits, presence and heat: state machines in seconds, restorable. Pure."""
