"""Networks and analysers that look at or listen to footage: faces, lips in sync with sound, identity."""
