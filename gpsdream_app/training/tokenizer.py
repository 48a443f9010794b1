"""A word tokenizer learned from captions, in the format of CLIP's."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tokenizers import Tokenizer, pre_tokenizers, trainers
from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"


def train_tokenizer(texts: Iterable[str], *, vocabulary_size: int, max_tokens: int) -> CLIPTokenizer:
    """Learn byte pairs from texts.

    Args:
        texts: captions and tags.
        vocabulary_size: number of tokens at most.
        max_tokens: length that prompts are cut and padded to, start and end included.

    Returns:
        A tokenizer that any program which reads CLIP's can use.
    """
    # CLIPTokenizer brings the normaliser and pre-tokenizer; only the byte pairs are learned here.
    blank = CLIPTokenizer(vocab={START: 0, END: 1}, merges=[])
    learner: Tokenizer = blank.backend_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[START, END],
        end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Every printable character alone, so that none is unknown at the end of a word.
    characters = [chr(code) for code in range(33, 127)]
    learner.train_from_iterator([*texts, *characters], trainer)
    vocab = learner.get_vocab()
    # The end token must have the highest id: CLIPTextModel finds the end of a prompt by argmax.
    last = max(vocab.values())
    other = next(token for token, index in vocab.items() if index == last)
    vocab[other], vocab[END] = vocab[END], last
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=max_tokens)
