-- Version 10: how many of an evaluation's games its checkpoint was trained on, as far as was known when it was made.
ALTER TABLE evaluations ADD COLUMN trained_on INTEGER;
