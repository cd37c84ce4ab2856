"""Options to what is asked of the model for every piece: languages by their names, context and glossary in one."""

from ossicle.errors import OptionError
from ossicle.options import TranscribeOptions
from ossicle.pipeline.engine import Engine
from ossicle.pipeline.languages import find_languages
from ossicle.pipeline.recognize import Ask
from ossicle.text.glossary import fit_terms
from ossicle.text.languages import find_language

CONTEXT_SHARE = 2                   # the context may take one of so many parts of the positions that the decoder has
SHOWN_TERMS = 5


def make_ask(engine: Engine, options: TranscribeOptions) -> tuple[Ask, tuple[str, ...]]:
    """What is asked, and what every recording is to be warned of.

    Raises OptionError for a language that the model does not know, or a context that leaves no room for sound.
    """
    supported = engine.config.support_languages
    language = find_language(options.language, supported or None).name if options.language else None
    context, warnings = _context(engine, options)
    guard = options.echo_guard and not (options.reference or options.decode.fill_budget)
    ask = Ask(language, context, options.decode, official=options.reference, languages=find_languages(options.languages, supported),
              echo_guard=guard)
    return ask, warnings


def _context(engine: Engine, options: TranscribeOptions) -> tuple[str, tuple[str, ...]]:
    most = engine.config.decoder.max_positions // CONTEXT_SHARE
    if len(options.context) > most and (num_tokens := len(engine.tokenizer.encode_plain(options.context))) > most:
        raise OptionError(f"context must have at most {most} tokens with this model, got {num_tokens}; name what may occur, no whole text")
    if options.glossary is None:
        return options.context, ()
    terms, left_out = fit_terms(options.glossary, engine.tokenizer, options.glossary_tokens)
    warnings: tuple[str, ...] = ()
    if left_out:
        more = f" and {len(left_out) - SHOWN_TERMS} more" if len(left_out) > SHOWN_TERMS else ""
        warnings = (f"the terms of {options.glossary.name} take more than {options.glossary_tokens} tokens; {len(left_out)} of them are "
                    f"not in the context: {', '.join(left_out[:SHOWN_TERMS])}{more} (what they are misheard as is still written right)",)
    # Between them a space, as the models were trained; the context itself stays as it was written.
    return f"{options.context} {terms}" if options.context and terms else options.context or terms, warnings
